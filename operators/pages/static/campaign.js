// The Campaign tab of a DAG run. Airflow gives React as a global and the run as properties; the
// data come from /hpc/campaign/data, which answers 304 while nothing has changed.
const React = globalThis.React;
const h = React.createElement;
const REFRESH_MS = 5000;
const TONES = { good: "#2e7d32", bad: "#c62828", open: "#1565c0" };
const STATES = {
  success: "#2e7d32", failed: "#c62828", upstream_failed: "#ef6c00", running: "#43a047",
  deferred: "#7e57c2", scheduled: "#a1887f", queued: "#9e9e9e", none: "#bdbdbd",
};

function useCampaign(dagId, runId) {
  const [shown, show] = React.useState({});
  React.useEffect(() => {
    let over = false, timer = null, etag = null, document_ = null;
    const query = new URLSearchParams({ dag_id: dagId, run_id: runId });
    const address = new URL(`hpc/campaign/data?${query}`, document.baseURI);
    async function look() {
      try {
        const headers = etag ? { "If-None-Match": etag } : {};
        const reply = await fetch(address, { headers, credentials: "same-origin" });
        if (reply.status === 200) {
          document_ = await reply.json();
          etag = reply.headers.get("ETag");
        } else if (reply.status !== 304) {
          throw new Error(`Airflow answers ${reply.status}`);
        }
        if (!over) show({ page: document_, asOf: Date.now() });
      } catch (error) {
        if (!over) show((before) => ({ ...before, trouble: String(error.message || error) }));
      }
      const ended = document_ && ["success", "failed"].includes(document_.state);
      if (!over && !ended) timer = setTimeout(look, REFRESH_MS);
    }
    look();
    return () => { over = true; clearTimeout(timer); };
  }, [dagId, runId]);
  return shown;
}

function Age({ since }) {
  const [now, tick] = React.useState(Date.now());
  React.useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.round((now - since) / 1000));
  return h("span", { style: { opacity: 0.7 } }, `as of ${seconds} s ago`);
}

const cell = { padding: "2px 16px 2px 0", textAlign: "left", verticalAlign: "top" };
function Table({ head, rows }) {
  return h("table", { style: { borderCollapse: "collapse", marginBottom: 8 } },
    h("thead", null, h("tr", null, head.map((text) => h("th", { key: text, style: cell }, text)))),
    h("tbody", null, rows.map((row, i) =>
      h("tr", { key: i }, row.map((value, k) => h("td", { key: k, style: cell }, value))))));
}

function Section({ title, children }) {
  return h("section", { style: { marginTop: 20 } },
    h("h3", { style: { fontWeight: 600, marginBottom: 6 } }, title), children);
}

function Bar({ stage }) {
  const share = (count) => `${(100 * count) / Math.max(1, stage.planned)}%`;
  return h("div", {
    style: { display: "flex", width: 260, height: 12, background: "rgba(128,128,128,.25)" },
    title: `${stage.done} done, ${stage.lost} lost of ${stage.planned} planned`,
  },
    h("div", { style: { width: share(stage.done), background: STATES.success } }),
    h("div", { style: { width: share(stage.lost), background: STATES.failed } }));
}

function taskPath(dagId, runId, taskId) {
  const path = ["dags", dagId, "runs", runId, "tasks", taskId].map(encodeURIComponent).join("/");
  return new URL(path, document.baseURI).href;
}

function Stages({ page, dagId, runId }) {
  const rows = page.stages.map((stage) => [
    h("a", { href: taskPath(dagId, runId, stage.task_id), style: { textDecoration: "underline" } },
      stage.label),
    h(Bar, { stage }),
    `${stage.done} of ${stage.planned}` + (stage.lost ? `, ${stage.lost} lost` : ""),
    h("span", { style: { color: STATES[stage.state] || "inherit" } },
      stage.state === "none" ? "waits" : stage.state.replace("_", " ")),
    stage.seconds ? `${Math.round(stage.seconds)} s` : "",
  ]);
  return h(Section, { title: "Stages" },
    h(Table, { head: ["elements", "", "ended", "state", "time"], rows }));
}

function Material({ one, level }) {
  const rows = one.quantities.map((q) => [q.label, q.found, q.interval, q.true]);
  return h("div", { style: { marginRight: 32 } },
    h("b", null, `${one.name} (${one.by}): ${one.verdict}`),
    one.reasons.map((reason, i) => h("div", { key: i, style: { maxWidth: 420 } }, reason)),
    h(Table, { head: ["", "identified", `${level} interval`, "known"], rows }));
}

function Failures({ page, dagId, runId }) {
  if (!page.failed.length) return null;
  return h("div", { style: { color: TONES.bad, marginTop: 8 } }, "Failed: ",
    page.failed.map((task) =>
      h("a", {
        key: task, href: taskPath(dagId, runId, task),
        style: { textDecoration: "underline", marginRight: 12 },
      }, task)));
}

function Links({ links }) {
  return h("div", { style: { margin: "8px 0" } }, links.map((link) =>
    h("a", {
      key: link.label, href: link.href, target: "_blank", rel: "noopener noreferrer",
      style: { textDecoration: "underline", marginRight: 16 },
    }, link.label)));
}

function Campaign({ dagId, runId }) {
  const { page, asOf, trouble } = useCampaign(dagId, runId);
  if (!page) return h("div", { style: { padding: 16 } }, trouble || "Looking …");
  if (!page.campaign) {
    return h("div", { style: { padding: 16, opacity: 0.7 } },
      "This DAG run has not opened a campaign's run.",
      h(Failures, { page, dagId, runId }));
  }
  const named = (rows) => rows.map((row) => [row.label, row.value]);
  return h("div", { id: "campaign-page", style: { padding: 16, overflow: "auto" } },
    h("h2", { style: { fontSize: "1.3em", fontWeight: 600 } }, `${page.name}, ${page.run_id}`),
    h("p", { style: { borderLeft: `4px solid ${TONES[page.verdict.tone]}`, paddingLeft: 8 } },
      page.verdict.words),
    h(Failures, { page, dagId, runId }),
    h(Links, { links: page.links }),
    trouble ? h("div", { style: { color: TONES.bad } }, trouble) : h(Age, { since: asOf }),
    page.materials.length ? h(Section, { title: "Materials" },
      h("div", { style: { display: "flex", flexWrap: "wrap" } }, page.materials.map((one) =>
        h(Material, { key: one.name + one.by, one, level: page.level })))) : null,
    h(Stages, { page, dagId, runId }),
    page.networks.length ? h(Section, { title: "Networks, by their error on the test set" },
      h(Table, {
        head: ["network", "sum over the targets, in units of their ranges, squared"],
        rows: page.networks.map((n) => [n.name, n.error]),
      })) : null,
    Object.keys(page.records).length ? h(Section, { title: "Records by status" },
      h(Table, { head: ["status", "records"], rows: Object.entries(page.records) })) : null,
    h(Section, { title: "Cost" }, h(Table, { head: ["", ""], rows: named(page.usage) })));
}

globalThis.Campaign = Campaign;
