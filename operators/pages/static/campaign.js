// The Campaign tab of a DAG run: the verdict, then what was identified, then how it came about.
import {
  Age, COLOURS, Link, QUIET, Section, Table, count, duration, h, taskPath, useData,
} from "./common.js";

const WORDS = {
  success: "done", deferred: "at work", running: "at work", queued: "starts", scheduled: "starts",
  failed: "failed", upstream_failed: "not reached", up_for_retry: "will be tried again",
  skipped: "left out", none: "to come", removed: "removed",
};
const TONES = { done: COLOURS.good, failed: COLOURS.bad, "at work": COLOURS.open };

function Bar({ stage, share }) {
  const part = (width, colour) =>
    h("div", { style: { width: `${100 * Math.max(0, Math.min(1, width))}%`, background: colour } });
  const running = share === null ? stage.running / Math.max(1, stage.planned) : 0;
  const done = share === null ? stage.done / Math.max(1, stage.planned) : share;
  return h("div", {
    style: { display: "flex", width: 160, height: 12, marginTop: 5, background: "rgba(128,128,128,.25)" },
    title: `${stage.done} done, ${stage.running} running, ${stage.lost} failed of ` +
      `${stage.planned} planned`,
  },
  part(done, COLOURS.good), part(stage.lost / Math.max(1, stage.planned), COLOURS.bad),
  part(running, COLOURS.running));
}

function work(live) {
  if (!live) return "";
  const parts = [];
  if (live.work_planned) {
    parts.push(`${count(live.work_done)} of ${count(live.work_planned)} ${live.unit}`);
  }
  if (live.rate_per_s && live.work_planned) parts.push(`${live.rate_per_s} per second`);
  if (live.left_s) parts.push(`about ${duration(live.left_s)} left`);
  if (live.named) parts.push(live.named);
  if (live.held) parts.push(`${count(live.held)} wait for room in the queue`);
  if (live.waits) parts.push(`pending: ${live.waits}`);
  if (live.trouble) parts.push(live.trouble);
  return parts.join(", ");
}

function elementsOf(stage) {
  const pending = stage.planned - stage.done - stage.running - stage.lost;
  const under = [[stage.running, "running"], [stage.lost, "failed"]];
  if (stage.state === "deferred" || stage.state === "running") under.push([pending, "pending"]);
  const more = under.filter(([n]) => n > 0).map(([n, word]) => `, ${count(n)} ${word}`).join("");
  return `${count(stage.done)} of ${count(stage.planned)}${more}`;
}

function Stages({ page, dagId, runId }) {
  const rows = page.stages.flatMap((stage) => {
    const word = WORDS[stage.state] || stage.state;
    const live = stage.live && word === "at work" ? stage.live : null;
    const share = live && live.work_planned ? live.work_done / live.work_planned : null;
    const row = [
      h(Link, { href: taskPath(dagId, runId, stage.task_id, "elements") }, stage.label),
      h(Bar, { stage, share }),
      elementsOf(stage),
      h("span", { style: { color: TONES[word] || "inherit" } }, word),
      stage.seconds ? duration(stage.seconds) : "",
    ];
    const told = work(live);
    return told ? [row, ["", told]] : [row];
  });
  return h(Section, { title: "Stages" },
    h(Table, { head: ["", "", "elements", "", "time"], rows, oneLine: true }));
}

function Material({ one, level }) {
  const rows = one.quantities.map((q) => [q.label, q.found, q.interval, q.true]);
  return h("div", { style: { marginRight: 20, marginBottom: 12 } },
    h("b", null, `${one.name} (${one.by}): ${one.verdict}`),
    h(Table, { head: ["", "identified", `${level} interval`, "known"], rows }),
    one.given ? h("div", { style: { fontSize: "0.85em" } }, `given: ${one.given}`) : null,
    one.reasons.map((reason, i) =>
      h("div", { key: i, style: { maxWidth: 390, fontSize: "0.85em", opacity: 0.8 } }, reason)));
}

function Failures({ page, dagId, runId }) {
  return page.failed.map((one) =>
    h("div", { key: one.task_id, style: { color: COLOURS.bad, marginTop: 8 } },
      "Failed: ", h(Link, { href: taskPath(dagId, runId, one.task_id) }, one.task_id),
      one.cause ? h("pre", {
        style: { whiteSpace: "pre-wrap", fontFamily: "inherit", margin: "2px 0 0 12px" },
      }, one.cause) : null));
}

function Networks({ page }) {
  if (!page.networks.length) return null;
  return h(Section, { title: "Networks" },
    h("div", { style: { opacity: 0.7 } },
      "squared errors in units of the targets' ranges, summed over the targets"),
    h(Table, {
      head: ["", "validation, last epoch", "test set", ""],
      rows: page.networks.map((n) => [n.name, n.loss || "–", n.error || "–",
        n.href ? h(Link, { href: n.href, outside: true }, "loss curves") : ""]),
    }));
}

function FailedRecords({ failures }) {
  if (!failures.axes) return null;
  return h(Section, { title: "Where simulations failed" },
    h("div", { style: { opacity: 0.7 } },
      `${failures.cut ? "The first " : ""}${count(failures.records)} records by thirds of the ` +
      "range, along those axes on which they differ most"),
    h(Table, {
      head: ["", "lowest third", "middle", "highest third"],
      rows: failures.axes.map((one) =>
        [one.label, count(one.low), count(one.middle), count(one.high)]),
    }));
}

function Campaign({ dagId, runId }) {
  const query = { dag_id: dagId, run_id: runId };
  const ended = (page) => ["success", "failed"].includes(page.state);
  const { page, asOf, trouble } = useData("hpc/campaign/data", query, ended);
  if (!page) return h("div", { style: QUIET }, trouble || "Looking …");
  if (!page.campaign) {
    return h("div", { style: { padding: 16 } },
      h("div", { style: { opacity: 0.7 } }, page.failed.length
        ? "The campaign could not be opened."
        : "This DAG run has not opened a campaign's run."),
      h(Failures, { page, dagId, runId }));
  }
  return h("div", { id: "campaign-page", style: { padding: 16, overflow: "auto" } },
    h("h2", { style: { fontSize: "1.3em", fontWeight: 600 } }, `${page.name}, ${page.run_id}`),
    h("p", { style: { borderLeft: `4px solid ${COLOURS[page.verdict.tone]}`, paddingLeft: 8 } },
      page.verdict.words),
    page.origin ? h("div", null, page.origin) : null,
    h(Failures, { page, dagId, runId }),
    h("div", { style: { margin: "8px 0" } }, page.links.map((link) =>
      h(Link, { key: link.label, href: link.href, outside: true }, link.label))),
    trouble ? h("div", { style: { color: COLOURS.bad } }, trouble) : h(Age, { since: asOf }),
    page.materials.length ? h(Section, { title: "Materials" },
      h("div", { style: { display: "flex", flexWrap: "wrap" } }, page.materials.map((one) =>
        h(Material, { key: one.name + one.by, one, level: page.level })))) : null,
    h(Stages, { page, dagId, runId }),
    h(Networks, { page }),
    Object.keys(page.records).length ? h(Section, { title: "Records by status" },
      h(Table, {
        head: ["status", "records"],
        rows: Object.entries(page.records).map(([status, n]) => [status, count(n)]),
      })) : null,
    h(FailedRecords, { failures: page.failures }),
    h(Section, { title: "Cost" },
      h(Table, { head: ["", ""], rows: page.usage.map((row) => [row.label, row.value]) })));
}

globalThis.Campaign = Campaign;
