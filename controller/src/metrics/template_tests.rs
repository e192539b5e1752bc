use std::collections::BTreeMap;

use lockflight_analysis::reading::{Level, Split};
use lockflight_crds::AnalysisTemplateSpec;
use serde_json::{Value, json};

use super::{ResolvedTemplate, Subject, TemplateError, resolve};

const SUBJECT: Subject<'_> = Subject { namespace: "shop", rollout: "checkout" };

fn check(metric: &Value, args: &[(&str, &str)]) -> Result<ResolvedTemplate, TemplateError> {
    let spec: AnalysisTemplateSpec = serde_json::from_value(json!({
        "args": [{"name": "service"}, {"name": "code", "value": "5.."}],
        "metrics": [metric],
    }))
    .expect("a template");
    let args: BTreeMap<_, _> =
        args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    resolve("golden", &spec, SUBJECT, &args)
}

fn compare(bad: &str) -> Value {
    json!({"name": "errors", "compare": {
        "bad": bad, "total": "requests{service=\"{{service}}\"}", "by": {"pod": {}},
    }})
}

#[test]
fn a_template_is_parsed_whole() {
    let template = check(&compare("errors{c=~\"{{code}}\"}"), &[("service", "cart")]);
    let template = template.expect("a sound template");
    assert_eq!(template.name, "golden");
    assert_eq!(template.metrics.len(), 1);
}

#[test]
fn errors_name_the_field() {
    type Case<'a> = (Value, &'a [(&'a str, &'a str)], &'a str);
    let service: &[_] = &[("service", "cart")];
    let threshold = |query: &str, pass: &str, interval: &str| json!({"name": "load", "threshold": {"query": query, "pass": pass, "interval": interval}});
    let mut both = compare("errors");
    both["threshold"] = threshold("up", "true", "1s")["threshold"].clone();
    let mut rule = compare("errors");
    rule["compare"]["tolerate"] = json!({"ratio": "0.5", "difference": "0"});
    let mut share = compare("errors");
    share["compare"]["stableHealth"] = json!("1.5");
    let mut slow = json!({"name": "slow", "compare": {"histogram": "h", "by": {"pod": {}}}});
    slow["compare"]["stableHealth"] = json!("0.5");
    let mut form = compare("errors");
    form["compare"]["histogram"] = json!("h");
    let gauge = |more: &Value| {
        let mut metric = json!({"name": "memory", "compare": {"gauge": "m", "by": {"pod": {}}}});
        let fields = metric["compare"].as_object_mut().expect("fields");
        fields.extend(more.as_object().expect("fields").clone());
        metric
    };
    let mut above = compare("errors");
    above["compare"]["above"] = json!("5");
    let by_label = json!({"by": {"label": {"name": "l", "stable": "s", "canary": "c"}}});
    let mut arms = compare("errors");
    arms["compare"]["by"] = json!({});
    let cases: [Case; 22] = [
        (compare("errors"), &[], "args: the template needs the argument service"),
        (compare("errors"), &[("service", "a"), ("servce", "b")], "no argument servce"),
        (compare("e{s=\"{{x}}\"}"), service, "metrics[errors].compare.bad: {{x}} is neither"),
        (compare("rate(errors[5m])"), service, "metrics[errors].compare.bad: must be a plain"),
        (compare("a + b"), service, "must be a plain selector"),
        (rule, service, "metrics[errors].compare.tolerate: ratio must be a number from 1"),
        (share, service, "metrics[errors].compare.stableHealth: must be a share from 0 to 1"),
        (slow, service, "metrics[slow].compare.stableHealth: must be a share from 0 to 1 and goes"),
        (
            form,
            service,
            "metrics[errors].compare: must have exactly one of bad with total, histogram and gauge",
        ),
        (arms, service, "metrics[errors].compare.by: must have exactly one of pod and label"),
        (gauge(&json!({"bad": "b", "total": "t"})), service, "metrics[memory].compare: must have"),
        (gauge(&json!({"gauge": "avg(m)"})), service, "metrics[memory].compare.gauge: must be a"),
        (gauge(&json!({"gauge": "cpu_total{}"})), service, "memory].compare.gauge: is a counter"),
        (gauge(&by_label), service, "metrics[memory].compare.by: a gauge is compared by pods"),
        (gauge(&json!({"above": "1Gi"})), service, "memory].compare.above: must be a decimal"),
        (gauge(&json!({"stableHealth": "0"})), service, "memory].compare.stableHealth: must be"),
        (above, service, "metrics[errors].compare.above: must be a decimal number and goes with"),
        (both, service, "metrics[errors]: must have exactly one of compare and threshold"),
        (
            threshold("up", "result[0] <", "1s"),
            service,
            "metrics[load].threshold.pass: the condition",
        ),
        (threshold("up", "value < 1.0", "1s"), service, "names value"),
        (
            threshold("up{x={{service}}}", "true", "1s"),
            service,
            "metrics[load].threshold.query: {{service}} must",
        ),
        (threshold("up", "true", "1 s"), service, "metrics[load].threshold.interval"),
    ];
    for (metric, args, expect) in cases {
        let error = check(&metric, args).expect_err(expect).to_string();
        assert!(error.contains(expect), "{error}");
    }
}

fn with_default(default: &str, args: &[(&str, &str)]) -> Result<ResolvedTemplate, TemplateError> {
    let spec: AnalysisTemplateSpec = serde_json::from_value(json!({
        "args": [{"name": "service", "value": default}],
        "metrics": [{"name": "errors", "compare": {
            "bad": "errors{s=\"{{service}}\",n=\"{{namespace}}\"}",
            "total": "requests{s=\"{{service}}\",n=\"{{namespace}}\"}",
            "by": {"label": {"name": "service", "stable": "{{service}}-s", "canary": "{{rollout}}-c"}},
        }}],
    }))
    .expect("a template");
    let args: BTreeMap<_, _> =
        args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    resolve("golden", &spec, SUBJECT, &args)
}

#[test]
fn the_rollout_is_known_in_queries_and_in_defaults() {
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 4] = [
        ("{{rollout}}.{{ namespace }}", &[], "checkout.shop"),
        ("plain", &[], "plain"),
        ("{{rollout}}", &[("service", "cart")], "cart"),
        // What a Rollout gives is a value and no template.
        ("x", &[("service", "{{rollout}}")], "{{rollout}}"),
    ];
    for (default, args, expect) in cases {
        let template = with_default(default, args).expect(default);
        let comparison = template.metrics[0].comparison().expect("a comparison");
        let split = Split::Label {
            name: "service".to_owned(),
            stable: format!("{expect}-s"),
            canary: "checkout-c".to_owned(),
        };
        assert_eq!(comparison.reading.split, split);
    }
}

#[test]
fn what_stands_in_a_default_or_is_reserved_is_checked() {
    let error = with_default("{{cluster}}", &[]).expect_err("a default").to_string();
    assert!(
        error.contains("args[service].value: {{cluster}} cannot stand in a default"),
        "{error}"
    );
    for name in ["rollout", "namespace", "window", "cluster"] {
        let error = with_default("x", &[(name, "y")]).expect_err(name).to_string();
        assert!(error.contains(&format!("no argument {name}")), "{error}");
        let spec: AnalysisTemplateSpec = serde_json::from_value(json!({
            "args": [{"name": name, "value": "x"}], "metrics": [compare("errors")],
        }))
        .expect("a template");
        let error = resolve("golden", &spec, SUBJECT, &BTreeMap::new()).expect_err(name);
        assert!(error.to_string().contains(&format!("{name} is filled in by Lockflight")));
    }
}

#[test]
fn the_label_that_tells_the_arms_apart_is_no_observer() {
    let template = with_default("x", &[]).expect("a template");
    let reading = &template.metrics[0].comparison().expect("a comparison").reading;
    assert!(!reading.observer_labels.contains(&"service".to_owned()));
    assert!(reading.observer_labels.contains(&"job".to_owned()));
}

#[test]
fn gauges_have_margins_of_their_own_and_a_level() {
    let metric = |more: &Value| {
        let mut metric = json!({"name": "memory", "compare": {"gauge": "m", "by": {"pod": {}}}});
        let fields = metric["compare"].as_object_mut().expect("fields");
        fields.extend(more.as_object().expect("fields").clone());
        metric
    };
    let margin = json!({"tolerate": {"ratio": "1.5", "difference": "0.1"}});
    let cases = [
        (compare("errors"), (0.000_2, 0.001), None),
        (metric(&json!({})), (0.05, 0.2), Some(Level::BeyondStable(1.25))),
        (metric(&margin), (0.1, 0.2), Some(Level::BeyondStable(1.5))),
        (metric(&json!({"above": "-0.5"})), (0.05, 0.2), Some(Level::Above(-0.5))),
    ];
    for (metric, (tolerated, ruled_out), level) in cases {
        let template = check(&metric, &[("service", "cart")]).expect("a sound template");
        let comparison = template.metrics[0].comparison().expect("a comparison");
        let margins = comparison.margins;
        let differences = (margins.tolerate.difference, margins.rule_out.difference);
        assert_eq!(differences, (tolerated, ruled_out), "{metric}");
        assert_eq!(comparison.counts_events(), level.is_none(), "{metric}");
        assert_eq!(template.counts_events(), level.is_none(), "{metric}");
        assert!(level.is_none_or(|level| comparison.reading.level == level), "{metric}");
    }
}
