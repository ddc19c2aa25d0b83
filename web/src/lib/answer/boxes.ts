// Boxes that an answer draws: {"bbox_2d": [x1, y1, x2, y2], "label": "...", "time": 3.5}.
// Coordinates run from 0 to 1000 over the frame's width and height.
import { findTimes } from './times';

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
  label: string;
  /** When the box holds, if the answer says so; seconds. */
  seconds: number | null;
}

const objects = /\{[^{}]*"bbox_2d"[^{}]*\}/g;

function corners(value: unknown): [number, number, number, number] | null {
  if (!Array.isArray(value) || value.length !== 4) return null;
  const numbers = value.map(Number);
  if (!numbers.every((n) => Number.isFinite(n) && n >= 0 && n <= 1000)) return null;
  const [x1, y1, x2, y2] = numbers as [number, number, number, number];
  return x2 > x1 && y2 > y1 ? [x1, y1, x2, y2] : null;
}

/** Every well-formed box in `text`, also while the JSON around it is still arriving. */
export function findBoxes(text: string): Box[] {
  const boxes: Box[] = [];
  for (const [source] of text.matchAll(objects)) {
    let parsed: Record<string, unknown>;
    try {
      parsed = JSON.parse(source) as Record<string, unknown>;
    } catch {
      continue;
    }
    const box = corners(parsed.bbox_2d);
    if (!box) continue;
    const [x1, y1, x2, y2] = box;
    const label = parsed.label ?? parsed.sub_label ?? parsed.name ?? '';
    boxes.push({
      x: x1,
      y: y1,
      width: x2 - x1,
      height: y2 - y1,
      label: typeof label === 'string' ? label : '',
      seconds: findTimes(source)[0]?.seconds ?? null,
    });
  }
  return boxes;
}

/** The boxes to draw at `seconds`: those of that moment (within half a second) and the timeless. */
export function boxesAt(boxes: Box[], seconds: number): Box[] {
  return boxes.filter((box) => box.seconds === null || Math.abs(box.seconds - seconds) <= 0.5);
}
