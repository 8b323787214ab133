//! Tables of good and bad conditions, and that what is printed reads back.

use proptest::prelude::*;

use super::{Condition, ConditionProblem};

#[test]
fn good_conditions_print_as_they_are_read() {
    for text in [
        "client-lives ok",
        "client-lives ok over 10s",
        "writes errors < 0.5%",
        "writes p95 < 500ms",
        "writes outage < 5s",
        "writes errors < 40% over 10s",
        "writes errors > 90% for 20s",
        "calls max < 150% of before",
        "pool value > 95 for 5s",
        "gave-up count >= 1",
        "lost value = 0",
        "lag value < 100 messages over 1m",
        "buyers p99.99 <= 1s 500ms",
        "buyers burn < 14.4 over 1m for 10s",
        "slo value != -0.01",
    ] {
        let condition: Result<Condition, _> = text.replace("1s 500ms", "1s500ms").parse();
        let printed = condition.as_ref().map(ToString::to_string);
        assert_eq!(printed.as_deref(), Ok(text.replace("1s 500ms", "1s500ms").as_str()), "{condition:?}");
    }
    // Blanks around a comparison are not needed.
    assert_eq!("a p99<1s".parse::<Condition>(), "a p99 < 1s".parse());
    assert_eq!("a value < 5messages".parse::<Condition>(), "a value < 5 messages".parse());
}

#[test]
fn bad_conditions_are_told_where_and_what_to_do() {
    for (text, marked, message) in [
        ("", "", "there is no condition"),
        ("writes", "writes", "nothing is said of `writes`"),
        ("writes erors < 1%", "erors", "`erors` is no measure"),
        ("writes p100 < 1s", "p100", "`p100` is no percentile"),
        ("writes p99.999 < 1s", "p99.999", "`p99.999` is no percentile"),
        ("writes errors 1%", "1%", "nothing compares `errors` with a value"),
        ("writes errors =< 1%", "=<", "nothing compares `errors` with a value"),
        ("writes errors <", "<", "no value follows `<`"),
        ("writes errors < 5", "5", "`errors` is compared with a share, such as 1%, and `5` is none"),
        ("writes outage < 5", "5", "`outage` is compared with a time, such as 5s, and `5` is none"),
        ("writes errors < 200%", "200%", "`200%` is no value"),
        ("writes count < 5s", "5s", "`count` is compared with a plain number, and `5s` is none"),
        ("calls max < x", "x", "`x` is no value"),
        ("writes errors < 5% ovr 5s", "ovr", "`ovr` cannot follow the value"),
        ("writes errors < 5% over", "over", "`over` is followed by no time"),
        ("writes errors < 5% over 5", "5", "`over` is followed by no time"),
        ("writes errors < 5% for 1s for 2s", "for", "`for` is said twice"),
    ] {
        let Err(error) = text.parse::<Condition>() else { panic!("{text} was taken") };
        assert_eq!((&text[error.span()], error.problem().to_string().as_str()), (marked, message));
        assert!(!error.hint().is_empty());
    }
    let near = "writes erors < 1%".parse::<Condition>().map_err(|error| error.hint());
    assert_eq!(near, Err("did you mean `errors`?".to_owned()));
    assert!(matches!(
        "a".parse::<Condition>().as_ref().map_err(super::ConditionError::problem),
        Err(ConditionProblem::NameAlone(_))
    ));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_what_is_taken_reads_back(text in "[a-z]{1,3}( |)(errors|p9{1,2}|value|max|ok)( |)[<>=!]{1,2}( |)[0-9.]{1,4}(%|ms|s|)( over 1s| for 2m| of before|)") {
        if let Ok(condition) = text.parse::<Condition>() {
            prop_assert_eq!(condition.to_string().parse::<Condition>(), Ok(condition));
        }
    }
}
