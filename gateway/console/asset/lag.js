// Draws how long changes take, from the same numbers as the table beside it.
const place = document.getElementById("lag-chart");

if (place && window.uPlot) {
  const { dataset } = place;
  const language = document.documentElement.lang;
  let chart, shown;

  const took = (value) => value == null ? "–" : value < 1000 ? `${Math.round(value)} ms` : value < 60000 ? `${+(value / 1000).toPrecision(2)} s` : `${Math.round(value / 60000)} min`;

  // One line for each side and percentile, over the moments of all of them.
  const lines = ({ points }) => {
    const moments = [...new Set(points.map((point) => Date.parse(point.start) / 1000))].sort((a, b) => a - b);
    const line = (from, name) => {
      const known = new Map(points.filter((point) => point.from === from).map((point) => [Date.parse(point.start) / 1000, point[name]]));
      return moments.map((moment) => known.get(moment) ?? null);
    };
    return [moments, line("outlook", "p50_ms"), line("outlook", "p95_ms"), line("nightpos", "p50_ms"), line("nightpos", "p95_ms")];
  };

  const draw = () => {
    if (!shown) return;
    chart?.destroy();
    place.hidden = false;
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    const clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: shown.zone });
    const axis = { stroke: color("soft"), grid: { stroke: color("line"), width: 1 }, ticks: { stroke: color("line"), width: 1 }, font: `12px ${style.fontFamily}` };
    const line = (side, label, dash) => ({ label, stroke: color(side), width: 2, dash, spanGaps: true, points: { size: 5, fill: color(side) }, value: (_, value) => took(value) });
    const data = lines(shown);
    const now = Date.now() / 1000;
    const from = Math.min(data[0][0], now - 3600);
    chart = new uPlot({
      width: place.clientWidth, height: 260,
      scales: { x: { range: [from, now] }, y: { distr: 3, range: (_, min, max) => [Math.min(min ?? 10, 10), Math.max(max ?? 1000, 1000)] } },
      axes: [
        { ...axis, space: 70, values: (_, moments) => moments.map((moment) => clock.format(moment * 1000)) },
        { ...axis, size: 62, values: (_, values) => values.map((value) => value == null ? "" : took(value)) },
      ],
      series: [
        { label: dataset.time, value: (_, value) => value == null ? "–" : clock.format(value * 1000) },
        line("outlook", dataset.outlookHalf), line("outlook", dataset.outlookMost, [6, 4]),
        line("nightpos", dataset.nightposHalf), line("nightpos", dataset.nightposMost, [6, 4]),
      ],
    }, data, place);
  };

  const load = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(dataset.source, { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      const found = await answer.json();
      if (!found.points.length) return;
      shown = found;
      draw();
    } catch {
      // The table beside it is still right, and the next time may work.
    }
  };

  let width = 0;
  new ResizeObserver(() => {
    if (chart && place.clientWidth !== width) chart.setSize({ width: width = place.clientWidth, height: 260 });
  }).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  setInterval(load, 30_000);
  load();
}
