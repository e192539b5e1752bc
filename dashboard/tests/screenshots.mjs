// Copies chosen screenshots to docs/screenshots, small enough for a repository: a picture of a page
// has few colours, so each gets a palette of its own. They are those of the last `npm test`, or of a
// real fleet where tests/fleet/pictures.mjs has taken one.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { crc32, deflateSync, inflateSync } from "node:zlib";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const BYTES_MAX = 150_000;
const COLOURS_MAX = 36;

/** From test-results: what it shows, by the name that it gets in the documentation. */
const CHOSEN = {
  fleet: "fleet-light-1360",
  "fleet-dark": "fleet-dark-1360",
  "fleet-phone": "fleet-light-390",
  rollout: "rollout-light-1360",
  "rollout-dark": "rollout-dark-1360",
  approval: "approval-light-1360",
  "approval-dark": "approval-dark-1360",
  approve: "approve-light-1360",
  "approve-dark": "approve-dark-1360",
  plan: "plan-light-1360",
  "plan-dark": "plan-dark-1360",
  aborted: "aborted-light-1360",
  "aborted-dark": "aborted-dark-1360",
  analysis: "analysis-light-1360",
  "analysis-dark": "analysis-dark-1360",
  history: "history-light-1360",
  "history-dark": "history-dark-1360",
  clusters: "clusters-light-1360",
  "clusters-dark": "clusters-dark-1360",
  abort: "abort-light-1360",
  "abort-dark": "abort-dark-1360",
};

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Rows of a PNG with 8 bits per channel and without interlace, as browsers write it. */
function decode(png) {
  let [offset, head] = [SIGNATURE.length, null];
  const data = [];
  while (offset < png.length) {
    const length = png.readUInt32BE(offset);
    const type = png.toString("latin1", offset + 4, offset + 8);
    const body = png.subarray(offset + 8, offset + 8 + length);
    if (type === "IHDR") head = body;
    if (type === "IDAT") data.push(body);
    offset += length + 12;
  }
  const [width, height] = [head.readUInt32BE(0), head.readUInt32BE(4)];
  const channels = { 2: 3, 6: 4 }[head[9]];
  if (head[8] !== 8 || !channels || head[12] !== 0) throw new Error("not a PNG as a browser writes it");
  return { width, height, channels, pixels: unfilter(inflateSync(Buffer.concat(data)), width * channels, height, channels) };
}

/** PNG specification, section 9: each byte is kept as its difference to its neighbours. */
function unfilter(raw, stride, height, channels) {
  const out = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y += 1) {
    const filter = raw[y * (stride + 1)];
    for (let x = 0; x < stride; x += 1) {
      const at = y * stride + x;
      const left = x >= channels ? out[at - channels] : 0;
      const up = y > 0 ? out[at - stride] : 0;
      const corner = x >= channels && y > 0 ? out[at - stride - channels] : 0;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter];
      out[at] = raw[y * (stride + 1) + 1 + x] + guess;
    }
  }
  return out;
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

/** The most frequent colours, and for each pixel the nearest of them. */
function reduce({ width, height, channels, pixels }) {
  const counts = new Map();
  const colours = new Uint32Array(width * height);
  for (let pixel = 0; pixel < colours.length; pixel += 1) {
    const colour = pixels.readUIntBE(pixel * channels, 3);
    colours[pixel] = colour;
    counts.set(colour, (counts.get(colour) ?? 0) + 1);
  }
  const palette = [...counts].sort((a, b) => b[1] - a[1]).slice(0, COLOURS_MAX).map(([colour]) => colour);
  const places = new Map();
  for (const colour of counts.keys()) places.set(colour, nearest(palette, colour));
  return { palette, indices: colours.map((colour) => places.get(colour)) };
}

function nearest(palette, colour) {
  const parts = (one) => [one >> 16, (one >> 8) & 255, one & 255];
  const wanted = parts(colour);
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  palette.forEach((one, place) => {
    const distance = parts(one).reduce((sum, part, index) => sum + (part - wanted[index]) ** 2, 0);
    if (distance < least) [best, least] = [place, distance];
  });
  return best;
}

function chunk(type, body) {
  const named = Buffer.concat([Buffer.from(type, "latin1"), body]);
  const out = Buffer.alloc(named.length + 8);
  out.writeUInt32BE(body.length, 0);
  named.copy(out, 4);
  out.writeUInt32BE(crc32(named), named.length + 4);
  return out;
}

function encode(width, height, palette, indices) {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3, 0, 0, 0], 8);
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y += 1) rows.set(indices.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const colours = Buffer.from(palette.flatMap((one) => [one >> 16, (one >> 8) & 255, one & 255]));
  const data = deflateSync(rows, { level: 9, memLevel: 9 });
  return Buffer.concat([SIGNATURE, chunk("IHDR", head), chunk("PLTE", colours), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

const into = here("../../docs/screenshots/");
mkdirSync(into, { recursive: true });
for (const [name, from] of Object.entries(CHOSEN)) {
  const real = here(`../test-results/real-${from}.png`);
  const picture = decode(readFileSync(existsSync(real) ? real : here(`../test-results/${from}.png`)));
  const { palette, indices } = reduce(picture);
  const png = encode(picture.width, picture.height, palette, Uint8Array.from(indices));
  if (png.length > BYTES_MAX) throw new Error(`${name}.png has ${png.length} bytes, more than ${BYTES_MAX}`);
  writeFileSync(`${into}${name}.png`, png);
  console.log(`docs/screenshots/${name}.png ${png.length} bytes`);
}
