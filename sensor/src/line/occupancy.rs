//! How full the line's tables are.

use super::Line;
use crate::bounded::Evictions;
use crate::provenance;

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupancy {
    /// What is in it.
    pub name: &'static str,
    /// How many are in it now.
    pub entries: usize,
    /// How many there can be.
    pub limit: usize,
    /// How many were forgotten for want of room though they were in use: what was known of them is lost.
    pub evicted: u64,
}

impl Line {
    /// The tables in which entries wait for what comes next, the ones whose losses matter.
    pub fn tables(&self) -> Vec<Occupancy> {
        let table =
            |name, entries, limit, evicted: Evictions| Occupancy { name, entries, limit, evicted: evicted.live };
        let (processes, workloads) = (self.processes.counts(), self.workloads.counts());
        let provenance::Counts { graph, holdings, egress, .. } = self.tracer.counts();
        let limits = provenance::Limits::default();
        let alerts = self.raiser.statistics();
        let incidents = self.incidents.statistics();
        vec![
            table("processes", processes.processes, self.limits.processes, processes.evictions),
            table("cgroups", workloads.cgroups, self.limits.workloads, workloads.cgroups_evicted),
            table("identities", workloads.identities, self.limits.workloads, workloads.identities_evicted),
            table("workloads_holding", holdings.workloads, limits.holdings.workloads, holdings.workloads_evicted),
            table("processes_holding", graph.processes, limits.graph.processes, graph.processes_evicted),
            table("carriers", graph.carriers, limits.graph.carriers, graph.carriers_evicted),
            table("sockets", graph.sockets, limits.graph.sockets, graph.sockets_evicted),
            table("egress_accounts", egress.accounts, 2 * limits.egress.accounts, egress.holders_evicted),
            table("flows", egress.flows, limits.egress.flows, egress.flows_evicted),
            Occupancy {
                name: "alerts_said",
                entries: self.raiser.said_len(),
                limit: crate::alert::Limits::default().said,
                evicted: alerts.evicted,
            },
            Occupancy {
                name: "incidents",
                entries: incidents.open,
                limit: crate::alert::incident::Limits::default().incidents,
                evicted: incidents.evicted,
            },
        ]
    }

    /// What became of findings, alerts and incidents, by name.
    pub fn alerts(&self) -> Vec<(&'static str, u64)> {
        let (alerts, incidents) = (self.raiser.statistics(), self.incidents.statistics());
        let names = self.unnamed.statistics();
        vec![
            ("raised", alerts.raised),
            ("updated", alerts.updated),
            ("trailing", alerts.trailing),
            ("suppressed", alerts.suppressed),
            ("lost", alerts.lost),
            ("told", incidents.told),
            ("left_to_incidents", incidents.suppressed),
            ("incidents_opened", incidents.opened),
            ("incident_records", incidents.records),
            ("unnamed", names.unnamed),
            ("enriched", names.enriched),
            ("enrichments_refused", names.refused),
        ]
    }
}
