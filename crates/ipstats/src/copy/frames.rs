//! What travels between `ipstats copy` and a service: frames of one program version, never kept.
//!
//! A frame is its kind (one byte), its length (four bytes) and its body; numbers are little-endian. A whole reading is
//! checkpoints, pieces, and an end or a failure: without one of those it was cut off.

use crate::store::{Checkpoint, LeftOut};
use ipstats_model::{CanonicalIp, Organization, Piece, Timestamp};

/// Longest frame, in bytes: a full piece is much shorter.
pub const FRAME_BYTES_MAX: usize = 64 << 20;

/// Most checkpoints in a frame; each has some tens of kilobytes at most.
pub const CHECKPOINTS_MAX: usize = 1000;

const HEAD_BYTES: usize = 5;

const CHECKPOINTS: u8 = 1;
const PIECE: u8 = 2;
const END: u8 = 3;
const FAILED: u8 = 4;

/// One frame.
#[derive(Debug)]
pub enum Frame {
    /// How far sources were read, or are to be taken as read.
    Checkpoints(Vec<Checkpoint>),
    /// What is known.
    Piece(Piece),
    /// That was all.
    End(LeftOut),
    /// There would be more, but it cannot be read, and why.
    Failed(String),
}

/// The bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what came is no part of a copy; the other side may be of another version")]
pub struct NoFrame;

impl Frame {
    /// The frame as bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Checkpoints(checkpoints) => {
                framed(CHECKPOINTS, |bytes| push_checkpoints(bytes, checkpoints))
            }
            Self::Piece(piece) => Self::of_piece(piece),
            Self::End(LeftOut { too_far_ahead, without_device }) => framed(END, |bytes| {
                bytes.extend_from_slice(&too_far_ahead.to_le_bytes());
                bytes.extend_from_slice(&without_device.to_le_bytes());
            }),
            Self::Failed(reason) => framed(FAILED, |bytes| bytes.extend_from_slice(reason.as_bytes())),
        }
    }

    /// The bytes of the frame of a piece.
    pub fn of_piece(piece: &Piece) -> Vec<u8> {
        framed(PIECE, |bytes| push_piece(bytes, piece))
    }

    /// The first frame of `bytes` and what is behind it; nothing while more has to come.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, &[u8])>, NoFrame> {
        let Some(([kind, length @ ..], rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*length) as usize;
        if !(CHECKPOINTS..=FAILED).contains(kind) || length > FRAME_BYTES_MAX {
            return Err(NoFrame);
        }
        let Some((body, rest)) = rest.split_at_checked(length) else { return Ok(None) };
        let mut body = Body(body);
        let frame = match *kind {
            CHECKPOINTS => Self::Checkpoints(body.checkpoints()?),
            PIECE => Self::Piece(body.piece()?),
            END => Self::End(LeftOut { too_far_ahead: body.u64()?, without_device: body.u64()? }),
            _ => Self::Failed(String::from_utf8_lossy(body.0).into_owned()),
        };
        Ok(Some((frame, rest)))
    }
}

fn framed(kind: u8, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = vec![kind, 0, 0, 0, 0];
    body(&mut bytes);
    let length = number(bytes.len() - HEAD_BYTES).to_le_bytes();
    if let Some(place) = bytes.get_mut(1..HEAD_BYTES) {
        place.copy_from_slice(&length);
    }
    bytes
}

fn push_checkpoints(bytes: &mut Vec<u8>, checkpoints: &[Checkpoint]) {
    push_number(bytes, checkpoints.len());
    for (organization, source, position) in checkpoints {
        bytes.extend_from_slice(organization.as_bytes());
        push_text(bytes, source.as_bytes());
        push_text(bytes, position);
    }
}

fn push_piece(bytes: &mut Vec<u8>, piece: &Piece) {
    bytes.extend_from_slice(piece.organization.as_bytes());
    push_number(bytes, piece.contacts.devices().len());
    piece.contacts.devices().for_each(|device| push_text(bytes, device.as_bytes()));
    push_number(bytes, piece.contacts.len());
    for row in piece.contacts.rows() {
        bytes.extend_from_slice(&row.device.to_le_bytes());
        push_time(bytes, row.ip, row.at);
    }
    for times in [&piece.moments, &piece.first_contacts] {
        push_number(bytes, times.len());
        times.iter().for_each(|(ip, at)| push_time(bytes, *ip, *at));
    }
}

fn push_time(bytes: &mut Vec<u8>, ip: CanonicalIp, at: Timestamp) {
    bytes.extend_from_slice(ip.as_bytes());
    bytes.extend_from_slice(&at.second().to_le_bytes());
}

fn push_text(bytes: &mut Vec<u8>, text: &[u8]) {
    push_number(bytes, text.len());
    bytes.extend_from_slice(text);
}

fn push_number(bytes: &mut Vec<u8>, count: usize) {
    bytes.extend_from_slice(&number(count).to_le_bytes());
}

/// Nothing in a frame is longer than it may be.
fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The body of a frame, read from its beginning.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn checkpoints(&mut self) -> Result<Vec<Checkpoint>, NoFrame> {
        let count = self.number()?;
        (0..count)
            .map(|_| Ok((self.organization()?, self.text()?.to_owned(), self.bytes()?.to_vec())))
            .collect()
    }

    fn piece(&mut self) -> Result<Piece, NoFrame> {
        let mut piece = Piece::new(self.organization()?);
        let devices = self.number()?;
        let devices = (0..devices).map(|_| self.text()).collect::<Result<Vec<_>, _>>()?;
        for _ in 0..self.number()? {
            let device = devices.get(self.number()?).ok_or(NoFrame)?;
            let (ip, at) = self.time()?;
            if !piece.add_contact(device, ip, at) {
                return Err(NoFrame);
            }
        }
        for _ in 0..self.number()? {
            piece.moments.push(self.time()?);
        }
        for _ in 0..self.number()? {
            piece.first_contacts.push(self.time()?);
        }
        Ok(piece)
    }

    fn organization(&mut self) -> Result<Organization, NoFrame> {
        self.array().map(Organization::from_bytes)
    }

    fn time(&mut self) -> Result<(CanonicalIp, Timestamp), NoFrame> {
        let ip = CanonicalIp::from_bytes(self.array()?);
        let at = Timestamp::from_second(i64::from_le_bytes(self.array()?));
        if (Timestamp::EPOCH..=Timestamp::LATEST).contains(&at) { Ok((ip, at)) } else { Err(NoFrame) }
    }

    fn text(&mut self) -> Result<&'a str, NoFrame> {
        std::str::from_utf8(self.bytes()?).map_err(|_| NoFrame)
    }

    fn bytes(&mut self) -> Result<&'a [u8], NoFrame> {
        let length = self.number()?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(NoFrame)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<usize, NoFrame> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    fn u64(&mut self) -> Result<u64, NoFrame> {
        self.array().map(u64::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NoFrame> {
        let (array, rest) = self.0.split_first_chunk::<N>().ok_or(NoFrame)?;
        self.0 = rest;
        Ok(*array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece() -> Piece {
        let (ip, at) = ("2001:db8::1".parse().unwrap(), Timestamp::from_second(1_527_854_400));
        let mut piece = Piece::new(Organization::from_bytes([7; 16]));
        assert!(piece.add_contact("naïve", ip, at) && piece.add_contact("pc", ip, Timestamp::LATEST));
        assert!(piece.add_contact("naïve", "0.0.0.0".parse().unwrap(), Timestamp::EPOCH));
        piece.moments.push((ip, at));
        piece.first_contacts.push((ip, Timestamp::EPOCH));
        piece
    }

    #[test]
    fn frames_come_back_from_any_cut() {
        let checkpoints = vec![(Organization::from_bytes([1; 16]), "logs/ü".to_owned(), vec![0, 255])];
        let left_out = LeftOut { too_far_ahead: 3, without_device: u64::MAX };
        let frames = [
            Frame::Checkpoints(checkpoints),
            Frame::Piece(piece()),
            Frame::End(left_out),
            Frame::Failed("so it goes".to_owned()),
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        let mut rest = bytes.as_slice();
        for _ in &frames {
            let (read, behind) = Frame::decode(rest).unwrap().unwrap();
            let length = rest.len() - behind.len();
            assert_eq!(read.encode(), rest[..length]);
            for cut in 0..length {
                assert!(matches!(Frame::decode(&rest[..cut]), Ok(None)), "{cut}");
            }
            rest = behind;
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn other_bytes_are_refused() {
        assert!(Frame::decode(b"HTTP/1.1 200 OK").is_err());
        let mut long = Frame::End(LeftOut::default()).encode();
        long[1..5].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(Frame::decode(&long).is_err());
        let whole = Frame::Piece(piece()).encode();
        // The last number of all is a time, and times end before "never".
        let mut never = whole.clone();
        let time = never.len() - 8..;
        never[time].copy_from_slice(&i64::from(u32::MAX).to_le_bytes());
        assert!(Frame::decode(&never).is_err());
        for place in 21..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x80;
            // Another value, or refused; never more than there is.
            let _ = Frame::decode(&damaged);
        }
    }
}
