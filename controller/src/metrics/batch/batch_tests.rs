use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join_all;
use tokio::time::Instant;

use super::Desk;
use crate::metrics::{
    answer::AnswerError,
    mock::{Mock, Reply, series},
};

#[tokio::test]
async fn many_rollouts_ask_once_and_each_gets_its_own() {
    let mock = Mock::start(TimeDelta::zero(), |_: &str| {
        let all: Vec<_> = (0..50)
            .map(|n| series(&[("__name__", "m"), ("app", &format!("a{n}"))], &[(5, f64::from(n))]))
            .collect();
        Reply::Result("matrix", format!("[{}]", all.join(",")))
    })
    .await;
    let desk = Desk::open(mock.provider("5s"));
    let asked = (0..50).map(|n| desk.raw(format!("m{{app=\"a{n}\"}}"), 60));
    let answers = join_all(asked).await;
    for (n, answer) in (0..50).zip(answers) {
        let answer = answer.unwrap_or_else(|error| panic!("rollout {n}: {error}"));
        let values: Vec<f64> =
            answer.series.iter().flat_map(|s| &s.floats).map(|sample| sample.value).collect();
        assert_eq!(values, [f64::from(n)], "rollout {n}");
        assert!(answer.range <= TimeDelta::seconds(60), "the time that passed is not covered");
    }
    assert_eq!(mock.asked().len(), 2, "the time, and one for all");
}

#[tokio::test]
async fn equal_queries_are_one_and_a_silent_one_holds_up_nobody_else() {
    let mock = Mock::start(TimeDelta::zero(), |query: &str| {
        if query.contains("slow") {
            Reply::Silence
        } else {
            Reply::Result("vector", "[]".to_owned())
        }
    })
    .await;
    let desk = Desk::open(mock.provider("2s"));
    let ask = |query: &str| desk.query(query.to_owned());
    let begun = Instant::now();
    let quick = async {
        let answers = join_all([ask("up"), ask("up"), ask("up")]).await;
        assert!(answers.iter().all(Result::is_ok));
        // Asked while the slow one is under way.
        assert!(ask("later").await.is_ok());
        assert!(begun.elapsed() < Duration::from_secs(2), "it waited for the slow one");
    };
    let (slow, ()) = tokio::join!(ask("slow"), quick);
    assert!(matches!(slow, Err(AnswerError::TimedOut(2000))), "{slow:?}");
    assert_eq!(mock.asked(), ["later", "slow", "up"]);
}
