// A film for the camera: somebody who talks in front of a still room, with a street behind the window, and a camera's
// noise. It runs without a seam, and each frame carries its number as a bar code, so that what arrives can be compared
// with what was sent. Always the same, whoever makes it.

import { closeSync, openSync, writeSync } from "node:fs";

export const FILM = { width: 1280, height: 720, rate: 30, frames: 150 };
/** White or black squares in the top left corner: the bits of the number, then the same bits inverted. */
export const CODE = { block: 32, bits: 8 };

const TILE = 512;
const TURN = 2 * Math.PI;

/** Mulberry32. @param {number} seed */
function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A surface between -1 and 1 that can be laid side by side: noise of several sizes, the finer the fainter, as in nature.
 * @param {number} seed
 * @param {number[]} cells  sizes in pixels
 */
function texture(seed, cells) {
  const next = random(seed);
  const surface = new Float32Array(TILE * TILE);
  for (const cell of cells) {
    const count = TILE / cell;
    const lattice = Float32Array.from({ length: count * count }, () => next() * 2 - 1);
    const strength = Math.sqrt(cell / cells[0]);
    for (let y = 0; y < TILE; y += 1) {
      const [top, fy] = [Math.floor(y / cell), (y % cell) / cell];
      const below = (top + 1) % count;
      for (let x = 0; x < TILE; x += 1) {
        const [left, fx] = [Math.floor(x / cell), (x % cell) / cell];
        const right = (left + 1) % count;
        const upper = lattice[top * count + left] * (1 - fx) + lattice[top * count + right] * fx;
        const lower = lattice[below * count + left] * (1 - fx) + lattice[below * count + right] * fx;
        surface[y * TILE + x] += strength * (upper * (1 - fy) + lower * fy) * 0.6;
      }
    }
  }
  return surface;
}

/**
 * @typedef {(y: number) => [number, number] | null} Shape  from where to where a row is covered
 * @typedef {{ surface: Float32Array, light: number, depth: number, u: number, v: number }} Paint
 */

/** @returns {Shape} */
const rectangle = (left, top, width, height) => (y) => (y >= top && y < top + height ? [left, left + width] : null);

/** @returns {Shape} */
const ellipse = (x, y, rx, ry) => (row) => {
  const square = 1 - ((row - y) / ry) ** 2;
  return square > 0 ? [x - rx * Math.sqrt(square), x + rx * Math.sqrt(square)] : null;
};

class Frame {
  luma = new Uint8ClampedArray(FILM.width * FILM.height);
  u = new Uint8ClampedArray(this.luma.length / 4);
  v = new Uint8ClampedArray(this.luma.length / 4);

  /**
   * @param {Shape} shape
   * @param {Paint} paint
   * @param {number} [dx]  where its surface is; it moves by parts of a pixel
   * @param {number} [dy]
   */
  fill(shape, { surface, light, depth, u, v }, dx = 0, dy = 0) {
    const shift = Math.floor(dx);
    const part = dx - shift;
    for (let y = 0; y < FILM.height; y += 1) {
      const span = shape(y);
      if (!span) continue;
      const from = Math.max(0, Math.round(span[0]));
      const to = Math.min(FILM.width, Math.round(span[1]));
      const row = ((Math.round(y - dy) + 8 * TILE) % TILE) * TILE;
      for (let x = from; x < to; x += 1) {
        const at = x - shift + 8 * TILE;
        const value = surface[row + (at % TILE)] * (1 - part) + surface[row + ((at - 1) % TILE)] * part;
        this.luma[y * FILM.width + x] = light + depth * value;
      }
      if (y % 2) continue;
      const start = (y / 2) * (FILM.width / 2);
      this.u.fill(u, start + (from >> 1), start + (to >> 1));
      this.v.fill(v, start + (from >> 1), start + (to >> 1));
    }
  }

  /** @param {Float32Array} grain @param {number} offset */
  addNoise(grain, offset) {
    for (let at = 0; at < this.luma.length; at += 1) this.luma[at] += grain[(at + offset) % grain.length];
  }

  /** @param {number} number */
  mark(number) {
    const { block, bits } = CODE;
    for (let place = 0; place < 2 * bits; place += 1) {
      const bit = ((number >> place % bits) & 1) ^ (place < bits ? 0 : 1);
      const shape = rectangle(place * block, 0, block, block);
      this.fill(shape, { surface: FLAT, light: bit ? 235 : 16, depth: 0, u: 128, v: 128 });
    }
  }
}

const FLAT = new Float32Array(TILE * TILE);

/** Everything that is to be seen; `t` goes from 0 to 1 and comes back to where it began. */
function painter() {
  const wall = { surface: texture(1, [128, 32, 8, 4, 2]), light: 120, depth: 34, u: 118, v: 138 };
  const street = { surface: texture(2, [64, 16, 8, 4]), light: 165, depth: 70, u: 140, v: 118 };
  const shirt = { surface: texture(3, [32, 8, 4, 2]), light: 75, depth: 40, u: 145, v: 115 };
  const skin = { surface: texture(4, [64, 8, 4]), light: 150, depth: 24, u: 108, v: 152 };
  const hair = { surface: texture(5, [16, 4, 2]), light: 45, depth: 38, u: 124, v: 132 };
  const dark = { surface: FLAT, light: 35, depth: 0, u: 124, v: 136 };
  const next = random(6);
  // The sum of some even numbers is nearly a normal one; its deviation is 2.
  const grain = Float32Array.from({ length: (1 << 20) + 7 }, () => (next() + next() + next() + next() - 2) * 3.46);
  return (t) => {
    const frame = new Frame();
    frame.fill(rectangle(0, 0, FILM.width, FILM.height), wall);
    frame.fill(rectangle(880, 70, 330, 330), street, t * TILE);
    const [x, y] = [600 + 26 * Math.sin(TURN * t), 320 + 9 * Math.sin(TURN * 3 * t)];
    frame.fill(ellipse(x - 8, 800, 330, 310), shirt, x, y / 3);
    frame.fill(ellipse(x, y - 40, 138, 150), hair, x, y);
    frame.fill(ellipse(x, y + 12, 112, 146), skin, x, y);
    for (const side of [-44, 44]) frame.fill(ellipse(x + side, y - 18, 13, t % 0.4 < 0.03 ? 1.5 : 9), dark);
    frame.fill(ellipse(x, y + 82, 36, 5 + 13 * Math.abs(Math.sin(TURN * 7.5 * t))), dark);
    const [hx, hy] = [300 + 70 * Math.sin(TURN * 4 * t), 560 + 50 * Math.sin(TURN * 2 * t)];
    frame.fill(ellipse(hx, hy, 62, 78), skin, hx, hy);
    frame.addNoise(grain, Math.floor(next() * grain.length));
    return frame;
  };
}

/** Writes the film as YUV4MPEG2. @param {string} file */
export function writeFilm(file) {
  const { width, height, rate, frames } = FILM;
  const paint = painter();
  const handle = openSync(file, "w");
  writeSync(handle, `YUV4MPEG2 W${width} H${height} F${rate}:1 Ip A1:1 C420jpeg\n`);
  for (let number = 0; number < frames; number += 1) {
    const frame = paint(number / frames);
    frame.mark(number);
    writeSync(handle, "FRAME\n");
    for (const plane of [frame.luma, frame.u, frame.v]) writeSync(handle, plane);
  }
  closeSync(handle);
}
