// What the tabs share. Airflow gives React as a global; the data come from the plugin's own pages,
// which answer 304 while nothing has changed.
export const React = globalThis.React;
export const h = React.createElement;
const REFRESH_MS = 5000;
const HOUR_S = 3600, DAY_S = 86400;
export const COLOURS = {
  good: "#2e7d32", bad: "#c62828", open: "#1565c0", running: "#66bb6a", waiting: "#b0bec5",
};
export const QUIET = { padding: 16, opacity: 0.7 };

// Ask again and again until `over` says that nothing will change; of `query` every value counts.
export function useData(path, query, over) {
  const [shown, show] = React.useState({});
  const search = new URLSearchParams(query).toString();
  React.useEffect(() => {
    let gone = false, timer = null, etag = null, page = null;
    const address = new URL(search ? `${path}?${search}` : path, document.baseURI);
    async function look() {
      try {
        const headers = etag ? { "If-None-Match": etag } : {};
        const reply = await fetch(address, { headers, credentials: "same-origin" });
        if (reply.status === 200) {
          page = await reply.json();
          etag = reply.headers.get("ETag");
        } else if (reply.status !== 304) {
          throw new Error(await refusal(reply));
        }
        const asOf = 1000 * Number(reply.headers.get("X-As-Of")) || Date.now();
        if (!gone) show({ page, asOf });
      } catch (error) {
        if (!gone) show((before) => ({ ...before, trouble: String(error.message || error) }));
      }
      if (!gone && !(page && over(page))) timer = setTimeout(look, REFRESH_MS);
    }
    look();
    return () => { gone = true; clearTimeout(timer); };
  }, [path, search]);
  return shown;
}

async function refusal(reply) {
  try {
    const said = (await reply.json()).detail;
    return typeof said === "string" ? said : `Airflow answers ${reply.status}`;
  } catch (error) {
    return `Airflow answers ${reply.status}`;
  }
}

export function Age({ since, what }) {
  const [now, tick] = React.useState(Date.now());
  React.useEffect(() => {
    const timer = setInterval(() => tick(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  const seconds = Math.max(0, Math.round((now - since) / 1000));
  return h("span", { style: { opacity: 0.7 } }, `${what || "as of"} ${duration(seconds)} ago`);
}

export function duration(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 2 * HOUR_S) return `${Math.round(seconds / 60)} min`;
  if (seconds < 2 * DAY_S) return `${(seconds / HOUR_S).toFixed(1)} h`;
  return `${(seconds / DAY_S).toFixed(1)} days`;
}

export const count = (number) => Number(number).toLocaleString("en-US");

const cell = { padding: "2px 16px 2px 0", textAlign: "left", verticalAlign: "top" };
// A row of fewer cells than the head fills the table with its last one.
export function Table({ head, rows, oneLine }) {
  const style = (full) => ({ ...cell, whiteSpace: oneLine && !full ? "nowrap" : "normal",
    ...(full ? { maxWidth: 640, opacity: 0.75 } : {}) });
  return h("table", { style: { borderCollapse: "collapse", marginBottom: 8 } },
    h("thead", null, h("tr", null, head.map((text, i) => h("th", { key: i, style: cell }, text)))),
    h("tbody", null, rows.map((row, i) => h("tr", { key: i }, row.map((value, k) => {
      const last = k === row.length - 1, full = last && row.length < head.length;
      return h("td", { key: k, style: style(full),
        colSpan: full ? head.length - row.length + 1 : 1 }, value);
    })))));
}

export function Section({ title, children }) {
  return h("section", { style: { marginTop: 20 } },
    h("h3", { style: { fontWeight: 600, marginBottom: 6 } }, title), children);
}

export function Link({ href, outside, children }) {
  const target = outside ? { target: "_blank", rel: "noopener noreferrer" } : {};
  return h("a", { href, style: { textDecoration: "underline", marginRight: 12 }, ...target },
    children);
}

export function taskPath(dagId, runId, taskId, tab) {
  const parts = ["dags", dagId, "runs", runId, "tasks", taskId, ...(tab ? ["plugin", tab] : [])];
  return new URL(parts.map(encodeURIComponent).join("/"), document.baseURI).href;
}
