//! How many datagrams the system dropped because nobody read them in time, where it tells (Linux).

use std::fs;
use std::os::fd::AsRawFd;

/// The columns of a socket in the tables of /proc that are read; drops are in the last one.
const INODE_COLUMN: usize = 9;

/// What one socket lost.
pub(super) struct Drops {
    inode: String,
    known: u64,
}

impl Drops {
    /// The drops of `socket` from now on.
    pub(super) fn of(socket: &impl AsRawFd) -> Option<Self> {
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok()?;
        let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned();
        Some(Self { inode, known: 0 })
    }

    /// How many there were since the last call.
    pub(super) fn new_ones(&mut self) -> u64 {
        let tables = ["/proc/self/net/udp", "/proc/self/net/udp6"];
        let found = tables.iter().find_map(|table| dropped(&fs::read_to_string(table).ok()?, &self.inode));
        let all = found.unwrap_or(self.known);
        let new = all.saturating_sub(self.known);
        self.known = all;
        new
    }
}

/// What a table says that the socket with `inode` lost.
fn dropped(table: &str, inode: &str) -> Option<u64> {
    let mut sockets = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let socket = sockets.find(|columns| columns.get(INODE_COLUMN) == Some(&inode))?;
    socket.last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn the_table_is_read_by_inode() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
                     1 0100007F:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000  0  0 17711 2 0000000000000000 0\n\
                     2 00000000:0802 00000000:0000 07 00000000:00000000 00:00000000 00000000  0  0 1771 2 0000000000000000 93\n";
        assert_eq!(
            (dropped(table, "1771"), dropped(table, "17711"), dropped(table, "1")),
            (Some(93), Some(0), None)
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_a_full_socket_loses_is_counted_once() {
        let (socket, sender) =
            (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let mut drops = Drops::of(&socket).unwrap();
        for _ in 0..2000 {
            sender.send_to(&[0; 1400], socket.local_addr().unwrap()).unwrap();
        }
        assert!((1..2000).contains(&drops.new_ones()));
        assert_eq!(drops.new_ones(), 0);
    }
}
