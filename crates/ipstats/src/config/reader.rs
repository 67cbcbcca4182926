//! Reads settings out of a TOML document and the environment, and gathers every problem with its place.
//!
//! A section hands out its keys one by one; what nobody asked for when it is finished is an unknown key. A setting that
//! is wrong is a problem and reads as absent, so that one run shows all problems.

use super::environment::Environment;
use super::unrepeated::without_user_info;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// One document and the environment over it.
pub(super) struct Reader<'a> {
    name: String,
    text: &'a str,
    environment: &'a Environment,
    variables: RefCell<BTreeSet<String>>,
    /// Each with its position in the document; those of the environment stand behind it.
    problems: RefCell<Vec<(usize, String)>>,
}

/// One table of the document.
pub(super) struct Section<'a> {
    reader: &'a Reader<'a>,
    /// Names of the tables above, each followed by a dot.
    path: String,
    span: Range<usize>,
    /// Whether variables of the environment stand above the keys of this table.
    overridable: bool,
    table: DeTable<'a>,
    /// Where each key that was asked for stands, if it does.
    asked: BTreeMap<&'static str, Option<Range<usize>>>,
}

impl<'a> Reader<'a> {
    /// A reader of `text`, which was found in `file`.
    pub(super) fn new(file: &Path, text: &'a str, environment: &'a Environment) -> Self {
        let (variables, problems) = (RefCell::default(), RefCell::default());
        Self { name: file.display().to_string(), text, environment, variables, problems }
    }

    /// The document as its outermost table; empty where its syntax is wrong.
    pub(super) fn root(&'a self) -> Section<'a> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        let table = if errors.is_empty() { table.into_inner() } else { DeTable::new() };
        for error in errors {
            self.problem(&error.span().unwrap_or_default(), error.message());
        }
        Section {
            reader: self,
            path: String::new(),
            span: 0..0,
            overridable: true,
            table,
            asked: BTreeMap::new(),
        }
    }

    /// A variable of the environment, which is thereby known.
    pub(super) fn variable(&self, name: &str) -> Option<&'a str> {
        self.variables.borrow_mut().insert(name.to_owned());
        self.environment.get(name)
    }

    /// All problems found, in the order of the document, then those of the environment.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = self.problems.take();
        problems.sort_by_key(|(position, _)| *position);
        problems.into_iter().map(|(_, problem)| problem).collect()
    }

    /// Variables of the environment that are settings of nothing.
    pub(super) fn unknown_variables(&self) -> Vec<String> {
        let known = self.variables.borrow();
        let unknown =
            self.environment.names().filter(|name| !known.contains(*name) && !is_set_by_others(name));
        unknown.map(|name| format!("the environment variable {name} is no setting: it is ignored")).collect()
    }

    fn problem(&self, span: &Range<usize>, message: impl Display) {
        self.keep(span.start, &format!("{}: {message}", self.place(span)));
    }

    fn problem_of_variable(&self, name: &str, message: impl Display) {
        self.keep(usize::MAX, &format!("{name}: {message}"));
    }

    fn keep(&self, position: usize, problem: &str) {
        self.problems.borrow_mut().push((position, without_user_info(problem)));
    }

    /// `file:line:column` of the start of a span.
    fn place(&self, span: &Range<usize>) -> String {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        format!("{}:{line}:{column}", self.name)
    }
}

/// Container platforms describe a service called *ipstats* to its neighbours in variables such as
/// `IPSTATS_SERVICE_HOST` and `IPSTATS_PORT_8080_TCP`.
fn is_set_by_others(name: &str) -> bool {
    name.starts_with("IPSTATS_SERVICE_") || name.starts_with("IPSTATS_PORT")
}

impl<'a> Section<'a> {
    /// The value of a key, from the environment if it is there, else from the document.
    pub(super) fn read<T: FromStr<Err: Display>>(&mut self, key: &'static str) -> Option<T> {
        let written = self.read_here(key);
        self.variable(key, |text| text.parse::<T>().map_err(|error| error.to_string())).or(written)
    }

    /// The value of a key that holds a number: in the document without quotes, or as text.
    pub(super) fn read_number<T: FromStr<Err: Display>>(&mut self, key: &'static str) -> Option<T> {
        let written = self.take(key).and_then(|value| match value.get_ref() {
            DeValue::Integer(number) => {
                let parsed = decimal(number).parse::<T>();
                parsed.map_err(|error| self.problem_at(&value.span(), key, error)).ok()
            }
            DeValue::String(_) => self.one(key, &value),
            other => self.wrong_type(key, &value.span(), "a whole number", other),
        });
        self.variable(key, |text| text.trim().parse::<T>().map_err(|error| error.to_string())).or(written)
    }

    /// The certificates that vouch for a server: `ca_file` beside those of the system, or alone with `ca_only`.
    pub(super) fn read_ca(&mut self, folder: &Path) -> (Option<PathBuf>, bool) {
        let file = self.read_path("ca_file", folder);
        let is_only = self.read_flag("ca_only").unwrap_or(false);
        if is_only && file.is_none() && !self.is_said("ca_file") {
            self.problem("ca_only", "names no certificates to trust: set ca_file, too");
        }
        (file, is_only)
    }

    /// The value of a key in the document.
    pub(super) fn read_here<T: FromStr<Err: Display>>(&mut self, key: &'static str) -> Option<T> {
        self.take(key).and_then(|value| self.one(key, &value))
    }

    /// The path of a file. A relative one in the document is meant from `folder`, in the environment from where the
    /// command runs.
    pub(super) fn read_path(&mut self, key: &'static str, folder: &Path) -> Option<PathBuf> {
        let written = self.read_here::<PathBuf>(key).map(|path| folder.join(path));
        self.variable(key, |text| Ok(PathBuf::from(text))).or(written)
    }

    /// As [`read`](Self::read); its absence is a problem.
    pub(super) fn require<T: FromStr<Err: Display>>(&mut self, key: &'static str) -> Option<T> {
        let before = self.reader.problems.borrow().len();
        let value = self.read(key);
        if value.is_none() && self.reader.problems.borrow().len() == before {
            self.reader.problem(&self.span, format_args!("{}{key} is missing", self.path));
        }
        value
    }

    /// The values of a key that holds a list; in the environment they are separated by commas.
    pub(super) fn read_list<T: FromStr<Err: Display>>(&mut self, key: &'static str) -> Option<Vec<T>> {
        let written = self.take(key).and_then(|value| match value.get_ref() {
            DeValue::Array(items) => all(items.iter().map(|item| self.item(key, item))),
            other => self.wrong_type(key, &value.span(), "a list of strings", other),
        });
        let listed = self.variable(key, |text| {
            let items = text.split(',').map(str::trim);
            let (values, wrong): (Vec<_>, Vec<_>) = items
                .map(|item| item.parse::<T>().map_err(|error| told(item, &error)))
                .partition(Result::is_ok);
            let wrong: Vec<_> = wrong.into_iter().filter_map(Result::err).collect();
            if wrong.is_empty() { Ok(values.into_iter().flatten().collect()) } else { Err(wrong.join("; ")) }
        });
        listed.or(written)
    }

    /// Whether a key that was read is in the document, whatever its value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.asked.get(key).is_some_and(Option::is_some)
    }

    /// Whether a key that was read is in the document or in the environment, whatever its value.
    pub(super) fn is_said(&self, key: &str) -> bool {
        self.has(key) || self.overridable && self.reader.variable(&self.variable_name(key)).is_some()
    }

    /// The value of a key that is `true` or `false`.
    pub(super) fn read_flag(&mut self, key: &'static str) -> Option<bool> {
        let written = self.take(key).and_then(|value| {
            let flag = value.get_ref().as_bool();
            flag.or_else(|| {
                self.wrong_type(key, &value.span(), "true or false without quotes", value.get_ref())
            })
        });
        let parse =
            |text: &str| text.parse::<bool>().map_err(|_| format!("{text:?} is neither true nor false"));
        self.variable(key, parse).or(written)
    }

    /// The values of a key that holds a table, by their names; only in the document.
    pub(super) fn read_map<T: FromStr<Err: Display>>(
        &mut self,
        key: &'static str,
    ) -> Option<BTreeMap<String, T>> {
        let value = self.take(key)?;
        let table = self.table_of(key, value).into_iter();
        let values =
            table.map(|(name, value)| Some((name.into_inner().into_owned(), self.item(key, &value)?)));
        all(values).map(BTreeMap::from_iter)
    }

    /// The table of a key; an empty one where it is absent.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'a> {
        let (span, table) = match self.take(key) {
            None => (self.span.clone(), DeTable::new()),
            Some(value) => (value.span(), self.table_of(key, value)),
        };
        self.below(format!("{}{key}.", self.path), span, self.overridable, table)
    }

    /// The tables of a key (`[[key]]`).
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Section<'a>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let span = value.span();
        let DeValue::Array(items) = value.into_inner() else {
            self.problem_at(&span, key, "expected tables, written as [[…]]");
            return Vec::new();
        };
        let tables = items.into_iter().enumerate().map(|(number, item)| {
            let (span, path) = (item.span(), format!("{}{key}[{number}].", self.path));
            let table = self.table_of(key, item);
            self.below(path, span, false, table)
        });
        tables.collect()
    }

    /// Reports a problem with the value of a key that was read.
    pub(super) fn problem(&self, key: &'static str, message: impl Display) {
        let span = self.asked.get(key).cloned().flatten().unwrap_or_else(|| self.span.clone());
        self.problem_at(&span, key, message);
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self) {
        let known = self.asked.keys().copied().collect::<Vec<_>>().join(", ");
        for key in self.table.keys() {
            let message = format!("unknown key {}{} (known here: {known})", self.path, key.get_ref());
            self.reader.problem(&key.span(), message);
        }
    }

    fn below(&self, path: String, span: Range<usize>, overridable: bool, table: DeTable<'a>) -> Section<'a> {
        Section { reader: self.reader, path, span, overridable, table, asked: BTreeMap::new() }
    }

    fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'a>>> {
        let value = self.table.remove(key);
        self.asked.insert(key, value.as_ref().map(Spanned::span));
        value
    }

    fn one<T: FromStr<Err: Display>>(&self, key: &str, value: &Spanned<DeValue<'a>>) -> Option<T> {
        let Some(text) = value.get_ref().as_str() else {
            return self.not_text::<T>(key, value);
        };
        text.parse().map_err(|error| self.problem_at(&value.span(), key, error)).ok()
    }

    fn item<T: FromStr<Err: Display>>(&self, key: &str, item: &Spanned<DeValue<'a>>) -> Option<T> {
        let Some(text) = item.get_ref().as_str() else {
            return self.not_text::<T>(key, item);
        };
        text.parse().map_err(|error| self.problem_at(&item.span(), key, told(text, &error))).ok()
    }

    /// Reports a value without quotes: that quotes are all it lacks, or what else is wrong with it. It may be a secret.
    fn not_text<T: FromStr<Err: Display>>(&self, key: &str, value: &Spanned<DeValue<'a>>) -> Option<T> {
        let text = match value.get_ref() {
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Boolean(flag) => flag.to_string(),
            other => return self.wrong_type(key, &value.span(), "a string", other),
        };
        let advice = match text.parse::<T>() {
            Ok(_) => "write it in quotes".to_owned(),
            Err(error) => error.to_string(),
        };
        let found = value.get_ref().type_str();
        self.problem_at(&value.span(), key, format_args!("expected a string, found {found}: {advice}"));
        None
    }

    fn table_of(&self, key: &str, value: Spanned<DeValue<'a>>) -> DeTable<'a> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => table,
            other => self.wrong_type(key, &span, "a table", &other).unwrap_or_default(),
        }
    }

    fn wrong_type<T>(
        &self,
        key: &str,
        span: &Range<usize>,
        expected: &str,
        found: &DeValue<'_>,
    ) -> Option<T> {
        self.problem_at(span, key, format_args!("expected {expected}, found {}", found.type_str()));
        None
    }

    fn variable<T>(&self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        if !self.overridable {
            return None;
        }
        let name = self.variable_name(key);
        let parsed = self.reader.variable(&name).map(parse);
        parsed.and_then(|parsed| parsed.map_err(|error| self.reader.problem_of_variable(&name, error)).ok())
    }

    fn variable_name(&self, key: &str) -> String {
        format!("IPSTATS_{}{key}", self.path.replace('.', "_")).to_uppercase()
    }

    fn problem_at(&self, span: &Range<usize>, key: &str, message: impl Display) {
        self.reader.problem(span, format_args!("{}{key}: {message}", self.path));
    }
}

/// A number of the document in decimal digits, whatever base it is written in.
fn decimal(number: &DeInteger<'_>) -> String {
    let digits = i128::from_str_radix(number.as_str(), number.radix());
    digits.map_or_else(|_| number.to_string(), |number| number.to_string())
}

/// All values; none where one is missing, but only after every one was looked at.
fn all<T>(values: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let values: Vec<_> = values.collect();
    values.into_iter().collect()
}

/// What is wrong with an item of a list, and which one it is.
fn told(item: &str, error: &impl Display) -> String {
    let (item, error) = (format!("{item:?}"), error.to_string());
    if error.contains(&item) { error } else { format!("{item}: {error}") }
}
