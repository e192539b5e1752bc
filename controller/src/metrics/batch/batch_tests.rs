use chrono::TimeDelta;
use futures::future::join_all;

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
    let desk = Desk::open(mock.provider("60s"));
    let ask = |query: &str| desk.query(query.to_owned());
    let quick = async {
        let answers = join_all([ask("up"), ask("up"), ask("up")]).await;
        assert!(answers.iter().all(Result::is_ok));
        // Asked while the slow one is under way.
        assert!(ask("later").await.is_ok());
    };
    tokio::select! {
        slow = ask("slow") => panic!("the quick ones waited for it: {slow:?}"),
        () = quick => {}
    }
    assert_eq!(mock.asked(), ["later", "slow", "up"]);
    let desk = Desk::open(mock.provider("50ms"));
    let slow = desk.query("slow".to_owned()).await;
    assert!(matches!(slow, Err(AnswerError::TimedOut(50))), "{slow:?}");
}
