//! Settings that take a restart.

use super::Config;

impl Config {
    /// The settings in which `other` differs from this configuration and that take a restart.
    pub fn restart_needed_for(&self, other: &Self) -> Vec<&'static str> {
        let differences = [
            ("listen", self.listen != other.listen),
            ("metrics_listen", self.metrics_listen != other.metrics_listen),
            ("data_dir", self.data_dir != other.data_dir),
            ("store", self.store != other.store),
            ("memory", self.memory_bytes_max != other.memory_bytes_max),
            ("rate_limits_shared", self.rate_limits_shared != other.rate_limits_shared),
            // Another file is taken up; the key of the data folder is looked for at the start only.
            ("signing_key_file", self.signing_key_file.is_some() && other.signing_key_file.is_none()),
            ("log.level", self.log_level != other.log_level),
            ("log.format", self.log_format != other.log_format),
            // Another certificate is taken up; whether there is TLS at all is not.
            ("tls", self.tls.is_some() != other.tls.is_some()),
        ];
        differences.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}
