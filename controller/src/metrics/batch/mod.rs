//! All questions to one provider of one cluster, asked together.
//!
//! However many rollouts ask within a moment, one request goes out for each *shape* of question
//! (see `selector`), and each rollout gets its own part of the answer. A slow answer holds up
//! only those who asked for it.

mod selector;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use lockflight_analysis::reading::{self, RawSeries};
use lockflight_crds::MetricProvider;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use self::selector::{Selector, merge};
use super::{
    answer::{self, Answer, AnswerError},
    provider::{Provider, ProviderError, Surroundings},
};

/// How long a first question waits for others. A sample is to be read within 100 ms of becoming
/// visible; this is a fifth of it.
const LINGER: Duration = Duration::from_millis(20);

/// Questions that wait for their turn. More than that would be one of a thousand rollouts.
const QUEUE_MAX: usize = 4096;

/// Requests to one provider at once.
const REQUESTS_MAX: usize = 16;

/// Questions taken up together.
const TOGETHER_MAX: usize = 1024;

/// The query for the provider's time.
const TIME: &str = "time()";

/// Who asks one provider for all gates of a cluster. Dropping it ends its task.
#[derive(Debug)]
pub struct Desk {
    provider: Provider,
    queue: mpsc::Sender<Ask>,
    _task: JoinSet<()>,
}

/// A question and who waits for the answer.
enum Ask {
    /// A query as it stands.
    Query(String, Reply<Answer>),
    /// The raw samples that a selector has had for so many seconds.
    Raw(String, u32, Reply<reading::Answer>),
}

type Reply<A> = oneshot::Sender<Result<A, AnswerError>>;

impl Desk {
    /// A desk for this provider.
    #[must_use]
    pub fn open(provider: Provider) -> Self {
        let (queue, asked) = mpsc::channel(QUEUE_MAX);
        let mut task = JoinSet::new();
        task.spawn(serve(provider.clone(), asked));
        Self { provider, queue, _task: task }
    }

    /// The provider.
    #[must_use]
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The provider's time.
    pub(super) async fn time(&self) -> Result<DateTime<Utc>, AnswerError> {
        answer::time(&self.query(TIME.to_owned()).await?)
    }

    /// The result of a query.
    pub(super) async fn query(&self, query: String) -> Result<Answer, AnswerError> {
        self.ask(|reply| Ask::Query(query, reply)).await
    }

    /// Raw samples of the series that a selector selects.
    pub(super) async fn raw(
        &self,
        selector: String,
        seconds: u32,
    ) -> Result<reading::Answer, AnswerError> {
        self.ask(|reply| Ask::Raw(selector, seconds, reply)).await
    }

    /// Asks, together with whoever else asks now. An answer that has not come in the provider's
    /// timeout, the wait for others included, has timed out.
    async fn ask<A>(&self, ask: impl FnOnce(Reply<A>) -> Ask) -> Result<A, AnswerError> {
        let limit = self.provider.timeout();
        let deadline = Instant::now() + limit + LINGER;
        let timed_out = || AnswerError::TimedOut(limit.as_millis());
        let (reply, answer) = oneshot::channel();
        let queued = timeout_at(deadline, self.queue.send(ask(reply))).await;
        if !matches!(queued, Ok(Ok(()))) {
            return Err(timed_out());
        }
        match timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(timed_out()),
        }
    }
}

/// Takes up questions and hands out answers until the desk is gone.
async fn serve(provider: Provider, mut asked: mpsc::Receiver<Ask>) {
    let mut under_way: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(()) = under_way.next() => {}
            first = asked.recv(), if under_way.len() < REQUESTS_MAX => {
                let Some(first) = first else { return };
                let together = gather(first, &mut asked, &mut under_way).await;
                under_way.extend(requests(&provider, together));
            }
        }
    }
}

/// The questions that come within a moment of the first one. Requests under way go on meanwhile.
async fn gather(
    first: Ask,
    asked: &mut mpsc::Receiver<Ask>,
    under_way: &mut FuturesUnordered<BoxFuture<'static, ()>>,
) -> Vec<Ask> {
    let mut together = vec![first];
    let end = Instant::now() + LINGER;
    while together.len() < TOGETHER_MAX {
        tokio::select! {
            next = timeout_at(end, asked.recv()) => match next {
                Ok(Some(ask)) => together.push(ask),
                Ok(None) | Err(_) => break,
            },
            Some(()) = under_way.next() => {}
        }
    }
    together
}

/// As few requests as these questions need: one for each distinct query, and one for each shape
/// of selector.
fn requests(provider: &Provider, together: Vec<Ask>) -> Vec<BoxFuture<'static, ()>> {
    let mut queries: BTreeMap<String, Vec<Reply<Answer>>> = BTreeMap::new();
    let mut raw = Vec::new();
    for ask in together {
        match ask {
            Ask::Query(query, reply) => queries.entry(query).or_default().push(reply),
            Ask::Raw(text, seconds, reply) => raw.push(Listener { text, seconds, reply }),
        }
    }
    let queries = queries.into_iter().map(|(query, replies)| {
        let provider = provider.clone();
        async move {
            let answer = ask(&provider, &query).await;
            for reply in replies {
                // Who has stopped listening needs no answer.
                let _ = reply.send(answer.clone());
            }
        }
        .boxed()
    });
    let raw = (!raw.is_empty()).then(|| samples(provider.clone(), raw).boxed());
    queries.chain(raw).collect()
}

/// Somebody who waits for raw samples.
struct Listener {
    text: String,
    seconds: u32,
    reply: Reply<reading::Answer>,
}

/// Somebody who waits, and what of an answer is theirs; all of it where that cannot be told.
type Waiting = (Option<Selector>, Listener);

/// Asks for raw samples. The provider's time is asked first: samples up to it are surely in the
/// answers, whenever these are evaluated after it.
async fn samples(provider: Provider, listeners: Vec<Listener>) {
    let begun = Instant::now();
    let evaluated_at = ask(&provider, TIME).await.and_then(|answer| answer::time(&answer));
    let evaluated_at = match evaluated_at {
        Ok(evaluated_at) => evaluated_at,
        Err(error) => {
            for listener in listeners {
                let _ = listener.reply.send(Err(error.clone()));
            }
            return;
        }
    };
    let (parsed, odd): (Vec<_>, Vec<_>) = listeners
        .into_iter()
        .map(|listener| (Selector::parse(&listener.text), listener))
        .partition(|(selector, _)| selector.is_some());
    let mut groups: Vec<(String, u32, Vec<Waiting>)> = Vec::new();
    for one in odd {
        groups.push((one.1.text.clone(), one.1.seconds, vec![one]));
    }
    let selectors: Vec<&Selector> = parsed.iter().filter_map(|(s, _)| s.as_ref()).collect();
    let merged = merge(&selectors);
    let mut parsed: Vec<Option<_>> = parsed.into_iter().map(Some).collect();
    for question in merged {
        let of = |place: &usize| parsed.get_mut(*place)?.take();
        let listeners: Vec<_> = question.answers.iter().filter_map(of).collect();
        // One range for all: who asked for less leaves the rest aside, as after every round.
        let seconds = listeners.iter().map(|(_, l)| l.seconds).max().unwrap_or(0);
        groups.push((question.text, seconds, listeners));
    }
    let asked = Asked { provider, evaluated_at, begun };
    let asked = &asked;
    let groups = groups.into_iter().map(|(text, seconds, listeners)| async move {
        asked.group(&text, seconds, listeners).await;
    });
    futures::future::join_all(groups).await;
}

/// When raw samples were asked for.
struct Asked {
    provider: Provider,
    evaluated_at: DateTime<Utc>,
    begun: Instant,
}

impl Asked {
    async fn group(&self, text: &str, seconds: u32, listeners: Vec<(Option<Selector>, Listener)>) {
        let found = self.ask(text, seconds).await;
        let too_large = matches!(found, Err(AnswerError::TooLarge(_))) && listeners.len() > 1;
        for (selector, listener) in listeners {
            let part = match (&found, &selector) {
                // What is too large together may be one rollout's fault: each for itself.
                (Err(_), _) if too_large => self.ask(&listener.text, listener.seconds).await,
                // Asked for alone, or by several in the same words: it is all theirs.
                (Ok(found), Some(selector)) if listener.text != text => Ok(reading::Answer {
                    series: found.series.iter().filter(|s| is_of(selector, s)).cloned().collect(),
                    ..*found
                }),
                (found, _) => found.clone(),
            };
            let _ = listener.reply.send(part);
        }
    }

    /// What is surely covered begins later than the range by all the time that has passed.
    async fn ask(&self, selector: &str, seconds: u32) -> Result<reading::Answer, AnswerError> {
        let series =
            answer::series(ask(&self.provider, &format!("{selector}[{seconds}s]")).await?)?;
        let passed = TimeDelta::from_std(self.begun.elapsed()).unwrap_or(TimeDelta::MAX);
        let range = TimeDelta::seconds(i64::from(seconds)).checked_sub(&passed);
        Ok(reading::Answer {
            evaluated_at: self.evaluated_at,
            range: range.unwrap_or_default().max(TimeDelta::zero()),
            series,
        })
    }
}

async fn ask(provider: &Provider, query: &str) -> Result<Answer, AnswerError> {
    let limit = provider.timeout();
    let answer = timeout(limit, provider.ask(query)).await;
    answer.unwrap_or(Err(AnswerError::TimedOut(limit.as_millis())))
}

fn is_of(selector: &Selector, series: &RawSeries) -> bool {
    selector.matches(|name| series.labels.get(name).map(String::as_str))
}

/// The desks of all clusters and providers.
#[derive(Debug, Default)]
pub struct Desks {
    open: Mutex<BTreeMap<(String, String), Opened>>,
}

/// A desk, and which version of its provider it asks.
#[derive(Debug)]
struct Opened {
    provider: Arc<MetricProvider>,
    desk: Arc<Desk>,
}

impl Desks {
    /// The desk of a provider for a cluster; another one once the provider was changed.
    pub fn desk(
        &self,
        cluster: &str,
        name: &str,
        provider: &Arc<MetricProvider>,
        surroundings: &Surroundings,
    ) -> Result<Arc<Desk>, ProviderError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (cluster.to_owned(), name.to_owned());
        if let Some(opened) = open.get(&key)
            && opened.provider.spec == provider.spec
        {
            return Ok(Arc::clone(&opened.desk));
        }
        let desk = Arc::new(Desk::open(Provider::new(&provider.spec, surroundings)?));
        open.insert(key, Opened { provider: Arc::clone(provider), desk: Arc::clone(&desk) });
        Ok(desk)
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
