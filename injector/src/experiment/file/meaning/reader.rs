//! Texts of the file to values, with all that is wrong collected on the way.

use std::{collections::BTreeSet, ops::Range};

use crate::{
    experiment::{
        file::{
            cause::Cause,
            error::Problem,
            form::Text,
            meaning::filled::Filled,
            parameters::Parameters,
            source::{Mark, Source},
        },
        model::{Located, Piece, Place, Template, pieces},
    },
    spec::nearest::nearest,
};

/// Which names have a value in a text, beside the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// None: the text is understood when the file is read.
    None,
    /// Of a service: `self`, `address`, `dir`, and those of the lab.
    Service,
    /// Of a load: `n`, and those of the lab.
    Operation,
    /// Those of the lab.
    Lab,
    /// Those of the lab, and what `set` has captured before.
    Step,
    /// Those of the lab, and whatever any `set` captures.
    End,
}

/// What reads the file.
pub(super) struct Reader<'a> {
    file: &'a str,
    source: &'a Source<'a>,
    pub(super) parameters: Parameters<'a>,
    pub(super) services: BTreeSet<&'a str>,
    /// Names that `set` steps have captured so far.
    pub(super) captured: BTreeSet<String>,
    /// Those that any of them captures.
    pub(super) ever_captured: BTreeSet<String>,
    /// The thing at hand, for what has no place of its own.
    pub(super) here: Place,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str, source: &'a Source<'a>, parameters: Parameters<'a>) -> Self {
        let (services, captured, ever_captured) = Default::default();
        let here = Place { line: 1, column: 1 };
        Self { file, source, parameters, services, captured, ever_captured, here, problems: Vec::new() }
    }

    /// All that was wrong, in the order of the file.
    pub(super) fn finish(self) -> Vec<Problem> {
        let mut problems = self.problems;
        problems.sort_by_key(|problem| problem.mark.place);
        // What an alias repeats is said once.
        problems.dedup();
        problems
    }

    fn problem(&mut self, mark: Mark, cause: Cause) {
        let secrets = self.parameters.secrets();
        self.problems.push(Problem { file: self.file.to_owned(), mark, cause, secrets });
    }

    /// Something is wrong with what begins here.
    pub(super) fn wrong_at(&mut self, place: Place, cause: Cause) {
        self.problem(self.source.word(place), cause);
    }

    /// Something is wrong with a whole text.
    pub(super) fn wrong(&mut self, text: &Text, cause: Cause) {
        let span = 0..text.value.len();
        let mark = self.source.inside(text.place, &text.value, &span);
        self.problem(mark.unwrap_or_else(|| self.source.word(text.place)), cause);
    }

    /// Something is wrong with a part of a text.
    pub(super) fn wrong_in(&mut self, text: &Text, filled: &Filled, span: Range<usize>, cause: Cause) {
        let found = self.source.inside(text.place, &text.value, &filled.written(&span));
        let mut mark = found.clone().unwrap_or_else(|| self.source.mark(text.place, 1));
        if found.is_none() || !filled.is_same() {
            mark.below = Some((filled.text.clone(), span));
        }
        self.problem(mark, cause);
    }

    /// A name that stands in a text at `written`.
    fn name(&mut self, text: &Text, written: &Range<usize>, cause: Cause) {
        let mark = self.source.inside(text.place, &text.value, written);
        let mark = mark.unwrap_or_else(|| {
            let below = Some((text.value.clone(), written.clone()));
            Mark { below, ..self.source.mark(text.place, 1) }
        });
        self.problem(mark, cause);
    }

    /// Has this name, which is no parameter's, a value there? Where it has one, if not; `None` if nowhere.
    fn has_value(&self, name: &str, names: Names) -> Option<Result<(), &'static str>> {
        let in_lab = |rest: &str| self.services.contains(rest);
        let service = name.strip_prefix("address.").or_else(|| name.strip_prefix("dir."));
        let ok = |right: bool, elsewhere| Some(if right { Ok(()) } else { Err(elsewhere) });
        let text = names != Names::None;
        match name {
            "run" | "seed" => ok(text, "it has one in commands and requests only"),
            "self" | "address" | "dir" => ok(
                names == Names::Service,
                "services have it; elsewhere write `${address.NAME}` or `${dir.NAME}`",
            ),
            "n" => ok(
                names == Names::Operation,
                "it is the number of an operation, in `each` or `http` of a load",
            ),
            _ if service.is_some_and(in_lab) => ok(text, "it has one in commands and requests only"),
            _ if self.captured.contains(name) && names == Names::Step => Some(Ok(())),
            _ if self.ever_captured.contains(name) => {
                let elsewhere = "it gets one from `set`: only later steps, `lost` and `rollback` may use it";
                ok(names == Names::End, elsewhere)
            }
            _ => None,
        }
    }

    /// Every name that may be written there.
    fn nearest_name(&self, name: &str, names: Names) -> Option<String> {
        let fixed = ["self", "address", "dir", "n", "run", "seed"];
        let fixed = fixed.into_iter().filter(|name| self.has_value(name, names) == Some(Ok(())));
        let of_services =
            self.services.iter().flat_map(|name| [format!("address.{name}"), format!("dir.{name}")]);
        let captured = self.captured.iter().filter(|_| names == Names::Step).cloned();
        let all: Vec<String> = fixed
            .map(str::to_owned)
            .chain(of_services)
            .chain(captured)
            .chain(self.parameters.names().map(str::to_owned))
            .collect();
        nearest(name, all.iter().map(String::as_str))
    }

    /// What stands for a name in a text: a parameter's value, or `None` for what has its value later. Whether it has one is
    /// checked.
    fn value(
        &mut self,
        text: &Text,
        written: &Range<usize>,
        (name, otherwise): (&str, Option<&str>),
        names: Names,
    ) -> Option<String> {
        if self.parameters.is_declared(name) {
            // One without a value is said together with all others.
            return Some(self.parameters.value(name, otherwise).unwrap_or_default());
        }
        match self.has_value(name, names) {
            Some(Ok(())) => None,
            Some(Err(elsewhere)) => {
                self.name(text, written, Cause::NoValue(name.to_owned(), elsewhere));
                Some(String::new())
            }
            None if otherwise.is_some() => self.parameters.value(name, otherwise),
            None => {
                let near = self.nearest_name(name, names);
                let hint =
                    "declare it under `parameters`, or write `$${` for a `${` that means itself".to_owned();
                let cause = Cause::UnknownName { what: "parameter", name: name.to_owned(), near, hint };
                self.name(text, written, cause);
                Some(String::new())
            }
        }
    }

    /// The text with all names filled in; `stand_in` is what stands for those that have their values later.
    pub(super) fn filled(
        &mut self,
        text: &Text,
        names: Names,
        stand_in: impl Fn(&str) -> String,
    ) -> Result<Filled, Unread> {
        self.filled_with(text, names, stand_in, |_, filled, (literal, start)| {
            filled.push(literal, start..start + literal.len(), true);
        })
    }

    /// The same, with `add` told what stands for itself, and where.
    pub(super) fn filled_with(
        &mut self,
        text: &Text,
        names: Names,
        stand_in: impl Fn(&str) -> String,
        mut add: impl FnMut(&mut Self, &mut Filled, (&str, usize)),
    ) -> Result<Filled, Unread> {
        let before = self.problems.len();
        let mut lacks = false;
        let mut filled = Filled::default();
        for (written, piece) in pieces(&text.value) {
            match piece {
                Piece::Text(literal) if literal.len() == written.len() => {
                    add(self, &mut filled, (literal, written.start));
                }
                Piece::Text(literal) => filled.push(literal, written, false),
                Piece::Name { name, otherwise } => {
                    lacks |=
                        self.parameters.is_declared(name) && self.parameters.value(name, otherwise).is_none();
                    let value = self.value(text, &written, (name, otherwise), names);
                    let value = value.unwrap_or_else(|| stand_in(name));
                    filled.push(&value, written, false);
                }
            }
        }
        if self.problems.len() > before || lacks { Err(Unread) } else { Ok(filled) }
    }

    /// A text in which all names are parameters.
    pub(super) fn plain(&mut self, text: &Text) -> Result<Filled, Unread> {
        self.filled(text, Names::None, |_| String::new())
    }

    /// The same as a string, whether or not something is wrong with it.
    pub(super) fn string(&mut self, text: &Text) -> String {
        self.plain(text).map(|filled| filled.text).unwrap_or_default()
    }

    /// A text in which names may be left that have their values later.
    pub(super) fn template(&mut self, text: &Text, names: Names) -> Template {
        let mut places = pieces(&text.value).into_iter().filter_map(|(written, piece)| match piece {
            Piece::Name { .. } => Some(written),
            Piece::Text(_) => None,
        });
        Template::new(&text.value).with(|name, otherwise| {
            self.value(text, &places.next().unwrap_or_default(), (name, otherwise), names)
        })
    }

    /// The same for a text with its place.
    pub(super) fn located_template(&mut self, text: &Text, names: Names) -> Located<Template> {
        Located { value: self.template(text, names), place: text.place }
    }

    /// A text that has to be something.
    pub(super) fn parsed<T>(
        &mut self,
        text: &Text,
        parse: impl FnOnce(&str) -> Result<T, Refusal>,
    ) -> Option<T> {
        let filled = self.plain(text).ok()?;
        match parse(&filled.text) {
            Ok(value) => Some(value),
            Err(refusal) => {
                let (span, cause) = *refusal.0;
                let span = span.unwrap_or(0..filled.text.len());
                self.wrong_in(text, &filled, span, cause);
                None
            }
        }
    }

    /// Exactly one of several keys: those that are there.
    pub(super) fn exactly_one(
        &mut self,
        place: Place,
        what: &'static str,
        keys: &[(&'static str, bool)],
    ) -> bool {
        let found: Vec<_> = keys.iter().filter(|(_, there)| *there).map(|&(key, _)| key).collect();
        match found.len() {
            1 => return true,
            0 => {
                self.wrong_at(
                    place,
                    Cause::NoneOf { what, keys: keys.iter().map(|&(key, _)| key).collect() },
                );
            }
            _ => self.wrong_at(place, Cause::SeveralOf { what, found }),
        }
        false
    }
}

/// Why a text is not what it has to be, and which part of it is to blame: all of it where there is none.
#[derive(Debug)]
pub(super) struct Refusal(Box<(Option<Range<usize>>, Cause)>);

/// Makes one.
pub(super) fn refusal(span: Option<Range<usize>>, cause: Cause) -> Refusal {
    Refusal(Box::new((span, cause)))
}

/// Something is wrong, and has been noted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unread;
