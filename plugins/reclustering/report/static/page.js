"use strict";
// Draws the charts from the JSON beside them. Without this script the tables say the same.

// Airflow's page around this one, which has the same origin; a report by itself has none.
const around = (() => {
  try {
    return window.parent !== window && window.parent.document ? window.parent : null;
  } catch {
    return null;
  }
})();

const charts = [];

function followTheme() {
  const root = around?.document.documentElement;
  if (!root) {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach((one) => one.paint()));
    return;
  }
  const take = () => {
    const dark = root.classList.contains("dark") || root.dataset.theme === "dark";
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    charts.forEach((one) => one.paint());
  };
  const observer = new MutationObserver(take);
  const watch = () => {
    observer.observe(root, { attributes: true, attributeFilter: ["class", "data-theme"] });
    take();
  };
  // Airflow's page outlives this one, and would keep it.
  addEventListener("pagehide", () => observer.disconnect());
  addEventListener("pageshow", (event) => event.persisted && watch());
  watch();
}

// A frame may not lead its surroundings elsewhere; a link of theirs may.
function followLinks() {
  document.querySelectorAll("a[data-airflow]").forEach((link) => {
    if (!around) return;
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const outer = around.document.createElement("a");
      outer.href = link.href;
      around.document.body.append(outer);
      outer.click();
      outer.remove();
    });
  });
}

function color(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const whole = new Intl.NumberFormat("en");

// A chart whose colours are those of the page, now and when the theme changes.
function draw(id, configure) {
  const canvas = document.getElementById(id);
  if (!canvas) return;
  let chart = null;
  const paint = () => {
    chart?.destroy();
    Chart.defaults.color = color("soft");
    Chart.defaults.borderColor = color("line");
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    Chart.defaults.animation = false;
    Chart.defaults.maintainAspectRatio = false;
    chart = new Chart(canvas, configure());
  };
  charts.push({ paint });
  paint();
}

function data(id) {
  const element = document.getElementById(id);
  return element && JSON.parse(element.textContent);
}

// Vertical lines at some k, each with its name at the top.
const marks = (lines) => ({
  id: "marks",
  afterDatasetsDraw({ ctx, chartArea, scales }) {
    for (const { at, name, stroke, dash } of lines) {
      const x = scales.x.getPixelForValue(at);
      ctx.save();
      ctx.strokeStyle = ctx.fillStyle = stroke;
      ctx.setLineDash(dash);
      ctx.lineWidth = 2;
      ctx.beginPath();
      ctx.moveTo(x, chartArea.top);
      ctx.lineTo(x, chartArea.bottom);
      ctx.stroke();
      ctx.font = `600 13px ${Chart.defaults.font.family}`;
      const right = x + ctx.measureText(name).width + 8 < chartArea.right;
      ctx.textAlign = right ? "left" : "right";
      ctx.fillText(name, x + (right ? 6 : -6), chartArea.top + (dash.length ? 30 : 12));
      ctx.restore();
    }
  },
});

function drawElbow(elbow) {
  const lines = () => {
    const found = [{ at: elbow.k, name: `chosen: ${elbow.k}`, stroke: color("orange"), dash: [] }];
    if (elbow.previous !== null && elbow.previous !== elbow.k) {
      found.push({ at: elbow.previous, name: `last run: ${elbow.previous}`, stroke: color("grey"), dash: [5, 4] });
    }
    return found;
  };
  draw("elbow-chart", () => ({
    type: "line",
    data: {
      datasets: [
        {
          label: "inertia",
          data: elbow.curve.map((point) => ({ x: point.k, y: point.inertia, point })),
          borderColor: color("blue"),
          backgroundColor: color("blue"),
          pointRadius: 4,
          pointHoverRadius: 7,
        },
      ],
    },
    options: {
      interaction: { mode: "nearest", axis: "x", intersect: false },
      scales: {
        x: { type: "linear", title: { display: true, text: "number of clusters k" }, min: 0.5,
             max: Math.max(...elbow.curve.map(({ k }) => k), elbow.k, elbow.previous ?? 0) + 0.5,
             afterBuildTicks: (axis) => { axis.ticks = elbow.curve.map(({ k }) => ({ value: k })); } },
        y: { beginAtZero: true, title: { display: true, text: "inertia" }, ticks: { callback: (value) => whole.format(value) } },
      },
      plugins: {
        legend: { display: false },
        tooltip: {
          displayColors: false,
          callbacks: {
            title: ([item]) => `k = ${item.raw.x}`,
            label: ({ raw: { point } }) => [
              `inertia ${number.format(point.inertia)}`,
              `mean distance ${number.format(point.mean_distance)}`,
              ...Object.entries(elbow.criteria)
                .filter(([name]) => point[name] !== null)
                .map(([name, title]) => `${title} ${number.format(point[name])}`),
            ],
          },
        },
      },
    },
    plugins: [marks(lines())],
  }));
}

const tones = ["blue", "orange", "green", "purple", "brown", "grey"];

// One line over the days; a day without a run is a gap.
function drawHistory(history) {
  const shapes = { backfill: "triangle", held: "rectRot", "": "circle" };
  const chart = (id, title, lines, y = {}) =>
    draw(id, () => ({
      type: "line",
      data: {
        labels: history.days.map(({ as_of }) => as_of),
        datasets: lines.map(({ name, tone, values }, i) => ({
          label: name,
          borderDash: i < tones.length ? [] : [6, 4],
          data: history.days.map(values),
          borderColor: color(tone),
          backgroundColor: color(tone),
          pointStyle: history.days.map(({ mark }) => shapes[mark ?? ""] ?? "circle"),
          pointRadius: history.days.map(({ mark }) => (mark ? 6 : 3)),
          spanGaps: false,
        })),
      },
      options: {
        interaction: { mode: "index", intersect: false },
        scales: { y: { title: { display: true, text: title }, ...y } },
        plugins: {
          legend: { display: lines.length > 1 },
          tooltip: { callbacks: { afterTitle: ([item]) => history.days[item.dataIndex].mark ?? "" } },
        },
        onClick: (event, _, clicked) => {
          const [hit] = clicked.getElementsAtEventForMode(event, "nearest", { intersect: true }, false);
          const link = hit && document.getElementById(`run-${history.days[hit.index].as_of}`);
          link?.click();
        },
      },
    }));
  chart("k-chart", "k", [{ name: "k", tone: "blue", values: ({ k }) => k ?? null }], { ticks: { precision: 0 } });
  chart(
    "sizes-chart",
    "customers (log scale)",
    Array.from({ length: history.labels }, (_, label) => ({
      name: `label ${label}`,
      tone: tones[label % tones.length],
      values: ({ sizes }) => sizes?.[label] ?? null,
    })),
    { type: "logarithmic" },
  );
  chart("list-chart", "customers on the list", [{ name: "list", tone: "green", values: ({ listed }) => listed ?? null }], {
    beginAtZero: true,
  });
  chart(
    "changed-chart",
    "changed cluster, %",
    [{ name: "changed", tone: "orange", values: ({ changed }) => (changed === null || changed === undefined ? null : 100 * changed) }],
    { beginAtZero: true },
  );
}

const elbow = data("elbow-data");
if (elbow) drawElbow(elbow);
const history = data("history-data");
if (history) drawHistory(history);
followTheme();
followLinks();
// A wide table can be moved by keyboard.
document.querySelectorAll(".scroll").forEach((box) => {
  if (box.scrollWidth > box.clientWidth) {
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", box.querySelector("caption")?.textContent ?? "table");
  }
});
