use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Selector, merge};

fn parse(text: &str) -> Selector {
    Selector::parse(text).unwrap_or_else(|| panic!("{text} is a selector"))
}

#[test]
fn only_plain_selectors_are_taken() {
    for text in ["m", "m{a=\"b\"}", "{__name__=\"m\",a!~\"x|y\"}", "m{a=\"1\",a=\"2\"}"] {
        parse(text);
    }
    for text in ["rate(m[1m])", "m offset 1m", "m @ 3", "m[5m]", "m{a=\"b\" or c=\"d\"}", "m +", ""]
    {
        assert!(Selector::parse(text).is_none(), "{text}");
    }
}

#[test]
fn selectors_of_one_shape_are_one_question() {
    let cases: [(&[&str], &[&str]); 6] = [
        (&["m{ns=\"a\"}", "m{ns=\"a\"}"], &["m{ns=\"a\"}"]),
        (
            &["m{ns=\"a\",app=\"x\"}", "m{app=\"y.z\",ns=\"a\"}"],
            &[r#"{__name__="m",app=~"x|y\\.z",ns="a"}"#],
        ),
        (
            &["m{ns=\"a\",code=~\"5..\"}", "m{ns=\"b\",code=~\"5..\"}"],
            &[r#"{__name__="m",ns=~"a|b",code=~"5.."}"#],
        ),
        // Another metric, another matcher, another label: another shape.
        (&["m{ns=\"a\"}", "n{ns=\"a\"}"], &["m{ns=\"a\"}", "n{ns=\"a\"}"]),
        (
            &["m{ns=\"a\",code=~\"5..\"}", "m{ns=\"a\",code=~\"4..\"}"],
            &["m{ns=\"a\",code=~\"4..\"}", "m{ns=\"a\",code=~\"5..\"}"],
        ),
        (&["m{ns=\"a\"}", "m{app=\"a\"}"], &["m{app=\"a\"}", "m{ns=\"a\"}"]),
    ];
    for (texts, expect) in cases {
        let selectors: Vec<Selector> = texts.iter().map(|text| parse(text)).collect();
        let merged: Vec<String> =
            merge(&selectors.iter().collect::<Vec<_>>()).into_iter().map(|m| m.text).collect();
        assert_eq!(merged, expect, "{texts:?}");
    }
}

#[test]
fn the_number_of_questions_does_not_grow_with_the_rollouts() {
    let questions = |rollouts: usize| {
        let selectors: Vec<Selector> = (0..rollouts)
            .flat_map(|n| {
                let service = format!("namespace=\"team-{n}\",service=\"checkout-{n}\"");
                [
                    parse(&format!("http_requests_total{{{service},code=~\"5..\"}}")),
                    parse(&format!("http_requests_total{{{service}}}")),
                ]
            })
            .collect();
        let merged = merge(&selectors.iter().collect::<Vec<_>>());
        assert!(merged.iter().all(|m| m.text.len() <= super::TEXT_LENGTH_MAX));
        let mut answered: Vec<usize> = merged.iter().flat_map(|m| m.answers.clone()).collect();
        answered.sort_unstable();
        assert_eq!(answered, (0..2 * rollouts).collect::<Vec<_>>(), "each is asked once");
        merged.len()
    };
    assert_eq!((questions(1), questions(10), questions(64)), (2, 2, 2));
    assert_eq!(questions(128), 4, "and 64 rollouts share one");
}

proptest! {
    /// What a merged question finds contains what each selector means, and no selector takes
    /// what another one means.
    #[test]
    fn nothing_is_lost_and_nothing_confused(
        values in prop::collection::vec(("[a-c.|\"\\\\]{0,3}", "[a-c$]{0,2}"), 1..6),
        series in prop::collection::vec(("[a-c.|\"\\\\]{0,3}", "[a-c$]{0,2}", "[45]00"), 0..12),
    ) {
        let quote = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
        let selectors: Vec<Selector> = values
            .iter()
            .map(|(a, b)| parse(&format!("m{{a=\"{}\",b=\"{b}\",code=~\"5..\"}}", quote(a))))
            .collect();
        let merged = merge(&selectors.iter().collect::<Vec<_>>());
        for (a, b, code) in &series {
            let labels: BTreeMap<&str, &str> =
                [("__name__", "m"), ("a", a), ("b", b), ("code", code)].into();
            let of = |selector: &Selector| selector.matches(|name| labels.get(name).copied());
            for (place, selector) in selectors.iter().enumerate() {
                let (wanted_a, wanted_b) = &values[place];
                let meant = a == wanted_a && b == wanted_b && code.starts_with('5');
                prop_assert_eq!(of(selector), meant);
                if meant {
                    let asked: Vec<bool> = merged
                        .iter()
                        .filter(|m| m.answers.contains(&place))
                        .map(|m| of(&parse(&m.text)))
                        .collect();
                    prop_assert_eq!(asked, vec![true]);
                }
            }
        }
    }
}
