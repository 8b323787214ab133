//! Manual pages: one for the program, one for each subcommand, and injector-rules(7) from the tables of the help.

use std::io;

use clap::Command;
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use crate::cli::{
    examples::{self, Example},
    manual::{Section, Topic},
};

/// The page on the language of rules.
pub(in crate::cli) const RULES: &str = "rules";

/// A page: the file's name, such as `injector-run.1`, and its text.
pub(in crate::cli) type Page = (String, Vec<u8>);

/// All pages.
pub(in crate::cli) fn all(program: &Command) -> io::Result<Vec<Page>> {
    let names = program.get_subcommands().map(Command::get_name);
    let mut pages = vec![of(program, None)?];
    for name in names {
        pages.push(of(program, Some(name))?);
    }
    pages.push(rules(program));
    Ok(pages)
}

/// The page of the program, or of the subcommand of that name.
pub(in crate::cli) fn of(program: &Command, name: Option<&str>) -> io::Result<Page> {
    let mut program = program.clone().disable_help_subcommand(true);
    program.build();
    let command = name.and_then(|name| program.find_subcommand(name)).unwrap_or(&program).clone();
    let version = program.get_version().unwrap_or_default();
    let man = Man::new(command.clone()).source(format!("injector {version}")).manual("Fault injection");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if name.is_none() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut rest = Roff::new();
    if name.is_some() {
        of_subcommands(&mut rest, &command);
    }
    of_examples(&mut rest, examples::of(name.unwrap_or_default()));
    if name.is_none() {
        rest.control("SH", ["EXIT STATUS"]).text([roman(crate::cli::EXIT_CODES)]);
    }
    see_also(&mut rest, &program, name);
    page.extend(rest.to_roff().into_bytes());
    Ok((man.get_filename(), page))
}

/// Subcommands of a subcommand, which have no pages of their own.
fn of_subcommands(page: &mut Roff, command: &Command) {
    let text = |text: Option<&clap::builder::StyledStr>| {
        let text = text.map(ToString::to_string).unwrap_or_default();
        roman(text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    for subcommand in command.get_subcommands() {
        let heading = format!("{} {}", command.get_name(), subcommand.get_name()).to_uppercase();
        page.control("SH", [heading.as_str()]);
        page.text([text(subcommand.get_long_about().or(subcommand.get_about()))]);
        for argument in subcommand.get_arguments().filter(|argument| !argument.is_global_set()) {
            page.control("TP", []).text([bold(argument.to_string())]);
            page.text([text(argument.get_long_help().or(argument.get_help()))]);
        }
    }
}

/// injector-rules(7).
pub(in crate::cli) fn rules(program: &Command) -> Page {
    let source = format!("injector {}", program.get_version().unwrap_or_default());
    let mut page = Roff::new();
    page.control("TH", ["injector-rules", "7", "", &source, "Fault injection"]);
    page.control("SH", ["NAME"]);
    page.text([roman("injector-rules - which events meet a fault, when, and what happens to them")]);
    for topic in Topic::ALL {
        for (nth, section) in topic.sections().iter().enumerate() {
            // Rules on calls have more to say than a section has room for.
            let heading = if nth == 0 || topic == Topic::Rules { "SH" } else { "SS" };
            of_section(&mut page, heading, section);
        }
    }
    see_also(&mut page, program, Some(RULES));
    ("injector-rules.7".into(), page.render().into_bytes())
}

fn of_section(page: &mut Roff, kind: &str, section: &Section) {
    let heading = if kind == "SH" { section.heading.to_uppercase() } else { section.heading.to_owned() };
    page.control(kind, [heading.as_str()]);
    for paragraph in &section.text {
        page.text([roman(paragraph.split_whitespace().collect::<Vec<_>>().join(" "))]);
    }
    for entry in &section.entries {
        page.control("TP", []).text([bold(entry.written)]).text([roman(entry.means)]);
    }
    commands(page, section.commands.iter().copied());
}

fn of_examples(page: &mut Roff, examples: &[Example]) {
    if examples.is_empty() {
        return;
    }
    page.control("SH", ["EXAMPLES"]);
    for example in examples {
        page.text([roman(example.does)]);
        commands(page, [example.command].into_iter());
    }
}

/// Lines as they are typed.
fn commands<'a>(page: &mut Roff, commands: impl Iterator<Item = &'a str>) {
    for command in commands {
        page.control("PP", []).control("RS", ["4"]).control("nf", []);
        page.text([bold(command)]).control("fi", []).control("RE", []).control("PP", []);
    }
}

/// All other pages.
fn see_also(page: &mut Roff, program: &Command, own: Option<&str>) {
    let mut pages: Vec<_> = own.iter().map(|_| "injector(1)".to_owned()).collect();
    let others = program.get_subcommands().map(Command::get_name).filter(|name| Some(*name) != own);
    pages.extend(others.map(|name| format!("injector-{name}(1)")));
    if own != Some(RULES) {
        pages.push("injector-rules(7)".into());
    }
    page.control("SH", ["SEE ALSO"]).text([roman(pages.join(", "))]);
}
