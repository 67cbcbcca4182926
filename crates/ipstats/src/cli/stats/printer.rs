//! Prints entries one by one, in the format asked for.

use super::csv::csv_line;
use super::entry::Entry;
use super::table::{FirstEver, Table};
use super::{Format, output};
use std::process::ExitCode;

/// Where entries go.
pub(super) struct Printer {
    form: Form,
    failed: bool,
}

enum Form {
    Table(Table),
    Json,
    Csv,
}

impl Printer {
    /// A printer; what begins the output is printed at once.
    pub(super) fn new(format: Format, first_ever: FirstEver) -> anyhow::Result<Self> {
        let form = match format {
            Format::Table => Form::Table(Table::new(first_ever)),
            Format::Json => Form::Json,
            Format::Csv => {
                output::result(super::csv::HEADER)?;
                Form::Csv
            }
        };
        Ok(Self { form, failed: false })
    }

    /// Prints an entry; a table may keep it until it knows the widths of its columns.
    pub(super) fn print(&mut self, entry: &Entry) -> anyhow::Result<()> {
        self.failed |= entry.has_failed();
        match &mut self.form {
            Form::Table(table) => table.add(entry).iter().try_for_each(output::result)?,
            Form::Json => output::json(&entry.json()?)?,
            Form::Csv => output::result(csv_line(entry))?,
        }
        Ok(())
    }

    /// Prints what was kept; the exit code of the command.
    pub(super) fn finish(self) -> anyhow::Result<ExitCode> {
        if let Form::Table(table) = self.form {
            table.finish().iter().try_for_each(output::result)?;
        }
        Ok(if self.failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
