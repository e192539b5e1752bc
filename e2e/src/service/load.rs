//! One load on each member's gateway, seen as one.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;

use super::Place;
use crate::addresses;
use crate::load::{Load, LoadReport, Shape};

/// A load ends by itself: nothing that is measured takes longer.
const LONGEST: Duration = Duration::from_hours(3);

/// A running load on every member. Dropping it ends it.
pub struct ServiceLoad {
    loads: Vec<(String, Load)>,
}

/// The counts of a load, per member.
#[derive(Clone, Debug, Default)]
pub struct ServiceReport {
    /// By the member's name.
    pub members: BTreeMap<String, LoadReport>,
}

impl ServiceLoad {
    pub(super) fn start(places: &[(Place, u32)], host: &str, shape: Shape) -> anyhow::Result<Self> {
        let start = |(place, rps): &(Place, u32)| {
            let gateway =
                SocketAddr::from((addresses::envoy(place.index), addresses::GATEWAY_PORT));
            let builder = Load::builder(gateway, host).rps(*rps).shape(shape);
            anyhow::Ok((place.name.clone(), builder.max_duration(LONGEST).start()?))
        };
        Ok(Self { loads: places.iter().map(start).collect::<anyhow::Result<_>>()? })
    }

    /// The counts so far.
    #[must_use]
    pub fn snapshot(&self) -> ServiceReport {
        let members = self.loads.iter().map(|(name, load)| (name.clone(), load.snapshot()));
        ServiceReport { members: members.collect() }
    }

    /// Sends nothing more, waits for what is in flight and gives the final counts.
    pub async fn stop(self) -> ServiceReport {
        let stopped = self.loads.into_iter().map(async |(name, load)| (name, load.stop().await));
        ServiceReport { members: join_all(stopped).await.into_iter().collect() }
    }
}

impl ServiceReport {
    /// Requests that were lost or answered with an error by a gateway.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.members.values().map(LoadReport::failed).sum()
    }

    /// Requests that the schedule asked for and that were not sent: too many were in flight.
    #[must_use]
    pub fn overrun(&self) -> u64 {
        self.members.values().map(|report| report.overrun).sum()
    }

    /// Requests that were sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.members.values().map(|report| report.sent).sum()
    }

    /// Answers of a version, whatever their status, in all members.
    #[must_use]
    pub fn of_version(&self, version: &str) -> u64 {
        self.members.values().map(|report| report.of_version(version)).sum()
    }

    /// Answers of a version in one member.
    #[must_use]
    pub fn in_member(&self, member: &str, version: &str) -> u64 {
        self.members.get(member).map_or(0, |report| report.of_version(version))
    }

    /// Errors that the application itself has answered with.
    #[must_use]
    pub fn application_errors(&self) -> u64 {
        let statuses =
            self.members.values().flat_map(|report| report.by_version.values()).flatten();
        statuses.filter(|(status, _)| **status >= 400).map(|(_, count)| count).sum()
    }
}

impl fmt::Display for ServiceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (member, report) in &self.members {
            write!(
                f,
                "{member}: {} sent, {} lost {:?}, gateway errors {:?}, by version {:?}, {} not sent; ",
                report.sent,
                report.lost,
                report.lost_errors,
                report.gateway_statuses,
                report.by_version,
                report.overrun
            )?;
        }
        Ok(())
    }
}
