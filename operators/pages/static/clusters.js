// The HPC page: whether each cluster answers, what of ours runs there, how long workspaces live.
import {
  Age, COLOURS, Link, QUIET, Section, Table, count, duration, h, taskPath, useData,
} from "./common.js";

const TONES = {
  reached: COLOURS.good, "needs login": COLOURS.bad, away: COLOURS.bad,
  "described wrongly": COLOURS.bad,
};

function checkPath(check) {
  const parts = ["dags", "cluster_check", "runs", check.run_id].map(encodeURIComponent);
  return new URL(parts.join("/"), document.baseURI).href;
}

function left(ends) {
  if (ends === null) return "does not expire";
  const seconds = ends - Date.now() / 1000;
  const day = new Date(1000 * ends).toISOString().slice(0, 16).replace("T", " ");
  return seconds < 0 ? `ended ${day} UTC` : `${duration(seconds)}, until ${day} UTC`;
}

function Cluster({ one }) {
  const rows = one.arrays.map((each) => [
    h(Link, { href: taskPath(each.dag_id, each.run_id, each.task_id, "elements") },
      `${each.campaign}: ${each.task_id}`),
    `${count(each.progress.done)} of ${count(each.progress.elements)} done, ` +
      `${count(each.progress.running)} running, ${count(each.progress.pending)} pending`,
    each.progress.waits,
  ]);
  return h(Section, { title: one.name },
    h("div", null, h("b", { style: { color: TONES[one.state] || "inherit" } }, one.state), " ",
      one.reached ? h(Age, { since: 1000 * one.reached, what: "last" })
        : h("span", { style: { opacity: 0.7 } }, "never reached so far")),
    one.words ? h("div", { style: { maxWidth: 800 } }, one.words) : null,
    one.check ? h("div", null, "Last cluster check: ",
      h(Link, { href: checkPath(one.check) }, one.check.state),
      one.check.ended ? h(Age, { since: 1000 * one.check.ended, what: "ended" }) : null)
      : h("div", { style: { opacity: 0.7 } }, "Never checked: trigger cluster_check."),
    one.jobs.length ? h(Table, {
      head: ["campaign's run", "live jobs"], rows: one.jobs.map((j) => [j.campaign, count(j.jobs)]),
    }) : h("div", { style: { opacity: 0.7 } }, "No live jobs."),
    rows.length ? h(Table, { head: ["under way", "elements", ""], rows }) : null,
    one.leases.length ? h(Table, {
      head: ["workspace", "lives"],
      rows: one.leases.map((lease) => [
        h("span", { title: lease.path }, lease.name), left(lease.ends),
      ]),
    }) : null);
}

function HPC() {
  const { page, trouble } = useData("hpc/clusters/data", {}, () => false);
  if (!page) return h("div", { style: QUIET }, trouble || "Looking …");
  return h("div", { id: "hpc-page", style: { padding: 16, overflow: "auto" } },
    h("h2", { style: { fontSize: "1.3em", fontWeight: 600 } }, "Clusters"),
    trouble ? h("div", { style: { color: COLOURS.bad } }, trouble) : null,
    page.clusters.length ? page.clusters.map((one) => h(Cluster, { key: one.name, one }))
      : h("div", { style: QUIET }, "No cluster is described in dags/clusters."));
}

globalThis.HPC = HPC;
