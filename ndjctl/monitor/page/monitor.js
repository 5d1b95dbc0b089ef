"use strict";
/* Shows /api/snapshot, the document of `ndjctl monitor --json`, and asks for it again and again. What is data is set as
   text, never as markup. */

const TRENDS = [
  ["messages_sent", "events sent a minute"],
  ["queue_age_s", "oldest event, s"],
  ["oldest_pending_age_s", "oldest pending file, s"],
  ["waiting_manifests", "manifests that wait"],
  ["running_manifests", "manifests that run"],
  ["function_errors", "function: errors"],
  ["function_throttles", "function: throttles"],
  ["function_duration_ms", "function: longest, ms"],
  ["failed_runs", "runs that failed"],
];
const MOST_RUNS = 12;

function node(tag, kind, ...children) {
  const made = document.createElement(tag);
  if (kind) made.className = kind;
  made.append(...children.filter((child) => child !== null && child !== undefined).map((child) =>
    child instanceof Node ? child : document.createTextNode(String(child))));
  return made;
}

const count = (number) => Math.round(number).toLocaleString("en-US");
const atLeast = (panel, words) => (panel.is_complete ? "" : "at least ") + words;
const rate = (number) => (number > 0 && number < 10 ? number.toFixed(1) : count(number)) + "/min";
const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

function size(bytes) {
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (bytes < 1024) return unit === "B" ? `${bytes} B` : `${bytes.toFixed(1)} ${unit}`;
    bytes /= 1024;
  }
  return `${bytes.toFixed(1)} TiB`;
}

function lasting(seconds) {
  if (seconds === null) return "-";
  const whole = Math.max(0, Math.round(seconds));
  for (const [unit, length, smaller, part] of [["d", 86400, "h", 3600], ["h", 3600, "min", 60], ["min", 60, "s", 1]]) {
    if (whole >= length) {
      const rest = Math.floor(whole % length / part);
      return `${Math.floor(whole / length)} ${unit}` + (rest ? ` ${rest} ${smaller}` : "");
    }
  }
  return `${whole} s`;
}

const clock = (moment) => (moment ? moment.slice(11, 16) + "Z" : "");
const day = (moment) => moment.slice(0, 10) + " " + moment.slice(11, 19) + "Z";

function figure(value, words, kind) {
  return node("div", "figure", node("b", kind || "", value), node("span", "", words));
}

function card(title, panel, fill) {
  const made = node("section", "card", node("h2", "", title));
  made.setAttribute("aria-label", title);
  if (panel && !panel.read) {
    made.classList.add("caution");
    made.append(node("p", "warn", `not read (${panel.why}): ${panel.sentence}`));
  } else {
    fill(made);
  }
  return made;
}

function reasons(health) {
  return health.checks.map((check) => {
    const found = node("div", "", node("span", check.verdict === "fail" ? "bad" : "warn", check.sentence));
    for (const remedy of check.remedies) {
      found.append(node("div", "", remedy.command ? node("code", "command", remedy.command) : null,
        node("span", "dim", remedy.hint || "")));
    }
    return found;
  });
}

function flow(data) {
  const came = data.arrivals, went = data.completions;
  return card("flow", null, (made) => {
    for (const panel of [came, went]) {
      if (!panel.read) made.append(node("p", "warn", `not read (${panel.why}): ${panel.sentence}`));
    }
    const figures = node("div", "figures");
    if (came.read) figures.append(figure(rate(came.files_per_min_now), "in, last 5 minutes"),
      figure(atLeast(came, count(came.files_hour)), `in the last hour, ${size(came.bytes_hour)}`));
    if (went.read) figures.append(figure(rate(went.files_per_min_now), "out, last 5 minutes"),
      figure(atLeast(went, count(went.files_hour)), "out in the last hour"),
      figure(atLeast(went, count(went.files_today)), `out today, ${size(went.bytes_today)}`));
    made.append(figures);
    const nothing = new Array(60).fill(0);
    made.append(flowChart(came.read ? came.files_per_minute : nothing, went.read ? went.files_per_minute : nothing));
    made.append(swatch("in", "uploaded"), swatch("out", "Parquet"));
    const since = data.since_last;
    if (since) made.append(node("span", "dim",
      `${count(since.files_in)} in and ${count(since.files_out)} out in the ${lasting(since.seconds)} before the last refresh`));
    made.classList.toggle("caution", !(came.read && went.read));
  });
}

function forecastWords(forecast) {
  if (forecast.kind === "clear") return ["nothing waits", "good"];
  if (forecast.kind === "grows") return [`grows by ${count(forecast.files_per_hour)} files an hour`, "bad"];
  if (forecast.kind === "unknown") return [`gone when? ${forecast.why}`, "warn"];
  return [`gone in ${lasting(forecast.seconds)}` + (forecast.gone_at ? `, about ${day(forecast.gone_at)}` : ""), ""];
}

function backlog(data) {
  const panel = data.backlog;
  return card("backlog", panel, (made) => {
    const kind = panel.is_late ? "bad" : panel.lag_s > panel.promise_s * 2 / 3 ? "warn" : "good";
    made.classList.toggle("alert", panel.is_late);
    made.append(node("div", "figures", figure(atLeast(panel, count(panel.files)), "files not at rest"),
      figure(panel.oldest_at ? lasting(panel.lag_s) : "none",
        `lag of ${lasting(panel.promise_s)} promised${panel.is_late ? ": LATE" : ""}`, kind)));
    made.append(gauge(panel.lag_s / panel.promise_s, kind));
    const [words, style] = forecastWords(data.forecast);
    made.append(node("p", style, words));
    const parts = [["old", panel.pending_over_30_min, "pending over 30 min"],
      ["middle", panel.pending_5_to_30_min, "pending 5 to 30 min"], ["young", panel.pending_under_5_min, "pending under 5 min"],
      ["manifested", panel.manifested, "in manifests"], ["processing", panel.processing, "in runs"]];
    made.append(stackedBar(parts));
    for (const [name, number, what] of parts) made.append(node("div", "line", swatch(name, what), count(number)));
  });
}

function queue(data) {
  const panel = data.queue;
  return card("queue", panel, (made) => {
    const dead = panel.dead_letters;
    made.classList.toggle("alert", dead > 0);
    made.append(node("div", "figures", figure(count(panel.visible), "events wait"), figure(count(panel.in_flight), "in flight"),
      figure(panel.oldest_age_s === null ? "-" : lasting(panel.oldest_age_s), "oldest"),
      dead === null ? null : figure(count(dead), dead === 1 ? "dead letter" : "dead letters", dead ? "bad" : "")));
    if (dead === null) made.append(node("p", "warn", `dead letters not read: ${panel.dead_letters_not_read}`));
  });
}

function manifests(data) {
  const panel = data.manifests, done = data.completions;
  return card("manifests", panel, (made) => {
    const age = panel.oldest_waiting_age_s === null ? "wait" : `wait, oldest ${lasting(panel.oldest_waiting_age_s)}`;
    made.append(node("div", "figures", figure(atLeast(panel, count(panel.waiting)), age),
      figure(count(panel.running), `run, ${count(panel.max_concurrent_runs)} may`),
      panel.refused ? figure(count(panel.refused), "refused a run", "warn") : null));
    if (done.read && done.manifest_total_s) {
      made.append(node("div", "line dim", `took ${lasting(done.manifest_total_s.median)} (p95 ` +
        `${lasting(done.manifest_total_s.p95)}), the run of it ${lasting(done.manifest_run_s.median)} (p95 ` +
        `${lasting(done.manifest_run_s.p95)})`));
    }
  });
}

function runs(data) {
  const panel = data.runs;
  return card("runs", panel, (made) => {
    if (!panel.under_way.length) { made.append(node("p", "dim", "none under way")); return; }
    const table = node("table", "", node("tr", "", ...["progress", "", "state", "for", "DPUs", "files", "manifest"].map(
      (name) => node("th", name === "DPUs" || name === "files" ? "number" : "", name))));
    for (const run of panel.under_way.slice(0, MOST_RUNS)) {
      const share = run.progress === null ? "?" : `${run.progress_is_estimate ? "~" : ""}${Math.round(run.progress * 100)}%`;
      table.append(node("tr", "", node("td", "bar", gauge(run.progress || 0, "processing")), node("td", "", share),
        node("td", "", run.state.toLowerCase()), node("td", "", lasting(run.elapsed_s)),
        node("td", "number", run.dpus === null ? "?" : count(run.dpus)), node("td", "number", count(run.files)),
        node("td", "", node("code", "dim", run.manifest_id || run.run_id))));
    }
    made.append(table);
    const more = panel.under_way.length - MOST_RUNS;
    made.append(node("p", "dim", (more > 0 ? `and ${plural(more, "more run")}, ` : "") + `${count(panel.dpus_in_use)} DPUs in use`));
  });
}

function files(list, made) {
  for (const file of list) {
    const why = (file.why || "no reason recorded").split(`${file.key}: `).pop();
    const line = node("div", "line clip", node("span", "dim", clock(file.updated_at) + " "), node("code", "", file.key), `: ${why}`);
    line.title = file.key;
    made.append(line);
  }
}

function failed(data) {
  const counted = data.counted_today, panel = data.runs;
  return card("failed", counted, (made) => {
    const bad = panel.read ? Object.entries(panel.today).filter(([state]) =>
      ["FAILED", "TIMEOUT", "ERROR", "EXPIRED", "STOPPED"].includes(state)) : [];
    const ended = bad.reduce((sum, [, number]) => sum + number, 0);
    const recent = data.arrivals.read ? data.arrivals.by_status.failed || 0 : 0;
    const lost = Math.max(counted.files_failed, recent);
    made.classList.toggle("alert", lost + ended > 0);
    made.append(node("div", "figures", figure(count(lost), "files today", lost ? "bad" : ""),
      figure(panel.read ? count(ended) : "?", "runs today", ended ? "bad" : "")));
    for (const run of panel.read ? panel.last_failed : []) {
      made.append(node("div", "line clip", node("span", "dim", clock(run.ended_at) + " "), `${run.state}: ${run.error || "no message"}`));
    }
    files(data.newest_failed, made);
  });
}

function quarantine(data) {
  const counted = data.counted_today;
  return card("quarantine", counted, (made) => {
    made.append(node("div", "figures", figure(count(counted.files_quarantined), `files set aside today, ${size(counted.quarantined_bytes)}`,
      counted.files_quarantined ? "warn" : ""), figure(count(counted.lines_quarantined), "lines set aside today",
      counted.lines_quarantined ? "warn" : "")));
    files(data.newest_quarantined, made);
  });
}

function hours(number) {
  if (number > 0 && number < 0.01) return "< 0.01";
  const few = number > 0 && number < 1;
  return number.toLocaleString("en-US", {minimumFractionDigits: few ? 2 : 0, maximumFractionDigits: few ? 2 : 1});
}

function budgetLine(budget) {
  const dollars = (usd) => "$" + usd.toLocaleString("en-US", {minimumFractionDigits: 2, maximumFractionDigits: 2});
  const spent = budget.share === null ? "unknown" : Math.round(budget.share * 100) + "%";
  const lifted = budget.is_lifted ? `: lifted${budget.lifted_to_usd === null ? "" : " to " + dollars(budget.lifted_to_usd)} until midnight UTC` : "";
  const state = budget.held_since ? `: runs are held since ${budget.held_since.slice(11, 16)}Z` : lifted;
  const style = budget.held_since ? "bad" : budget.share !== null && budget.share >= 0.8 ? "warn" : "";
  return node("div", `line ${style}`.trim(), `${spent} of the budget of ${dollars(budget.usd_per_day)} a day${state}`);
}

function cost(data) {
  const panel = data.cost;
  return card("cost today", panel, (made) => {
    const usd = panel.usd_today === null ? "?" : panel.usd_today > 0 && panel.usd_today < 0.01 ? "< $0.01" : "$" + panel.usd_today.toLocaleString("en-US",
      {minimumFractionDigits: 2, maximumFractionDigits: 2});
    made.append(node("div", "figures", figure(atLeast(panel, usd), "Glue"), figure(hours(panel.dpu_hours_today), "DPU hours"),
      figure(count(panel.runs_today), "runs")));
    const price = panel.usd_per_dpu_hour === null ? "" : `$${panel.usd_per_dpu_hour} a DPU hour: `;
    made.append(node("div", "line dim", price + panel.source));
    if (panel.budget) made.append(budgetLine(panel.budget));
  });
}

function trends(data) {
  const panel = data.trends;
  return card("the last hour, by CloudWatch", panel, (made) => {
    const grid = node("div", "trends");
    for (const [name, title] of TRENDS) {
      const values = panel[name] || [], known = values.filter((value) => value !== null);
      const words = known.length ? `now ${compact(known[known.length - 1])}, most ${compact(Math.max(...known))}` : "no data";
      grid.append(node("div", "", node("div", "name", title), sparkLine(values), node("div", "dim", words)));
    }
    made.append(grid);
  });
}

const PLACES = {left: [flow, runs, failed], right: [backlog, queue, manifests, cost, quarantine], below: [trends]};

function show(data) {
  const byId = (name) => document.getElementById(name), health = data.health;
  byId("headline").textContent = health.headline;
  byId("headline").className = `badge ${health.headline}`;
  document.title = `${health.headline} - ${data.env} - ndjctl monitor`;
  byId("where").textContent = `${data.env}, ${data.region}`;
  byId("when").textContent = day(data.taken_at);
  const why = reasons(health);
  if (health.not_read.length) why.push(node("div", "warn", `${plural(health.not_read.length, "check")} could not be made: ${health.not_read[0]}`));
  byId("reasons").replaceChildren(...why);
  byId("reasons").hidden = !why.length;
  byId("reasons").className = health.headline;
  for (const [place, makers] of Object.entries(PLACES)) byId(place).replaceChildren(...makers.map((make) => make(data)));
  byId("footer").textContent = `${data.refresh.calls} calls of AWS in ${data.refresh.seconds.toFixed(1)} s, again in ` +
    `${data.interval_s} s, for everybody who looks at this page together`;
  document.body.dataset.shown = String(Number(document.body.dataset.shown || 0) + 1);
}

async function look() {
  const trouble = document.getElementById("trouble");
  let wait_s = 5;
  try {
    const answer = await fetch("/api/snapshot", {cache: "no-store"});
    const data = await answer.json();
    if (!answer.ok) throw new Error(data.error);
    wait_s = Math.max(1, data.interval_s);
    show(data);
    trouble.hidden = true;
  } catch (error) {
    trouble.textContent = `What is below is not the newest: ${error.message}`;
    trouble.hidden = false;
  }
  setTimeout(look, wait_s * 1000);
}

look();
