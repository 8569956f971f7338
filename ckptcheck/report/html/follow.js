let low = Infinity, high = -Infinity;
for (const source of sources) {
  const xs = source.data.x;
  for (const name of Object.keys(source.data).filter(name => name.startsWith("y"))) {
    const ys = source.data[name];
    for (let at = 0; at < xs.length; at++) {
      // A line leads on to the points just outside.
      const seen = (at + 1 < xs.length ? xs[at + 1] : xs[at]) >= x.start && (at > 0 ? xs[at - 1] : xs[at]) <= x.end;
      if (seen && Number.isFinite(ys[at]) && !(logarithmic && ys[at] <= 0)) {
        low = Math.min(low, ys[at]);
        high = Math.max(high, ys[at]);
      }
    }
  }
}
if (low <= high) {
  const room = logarithmic ? Math.max(1.05, (high / low) ** 0.06) : Math.max(1e-9, 0.06 * (high - low));
  y.setv(logarithmic ? {start: low / room, end: high * room} : {start: low - room, end: high + room});
}
