'use client';

import * as Slider from '@radix-ui/react-slider';
import { clock } from '@/lib/format';
import { ui } from '@/lib/strings/ui';

interface Props {
  seconds: number;
  duration: number;
  /** Times that the answer names. */
  marks: number[];
  trim: [number, number] | null;
  onSeek: (seconds: number) => void;
}

const left = (seconds: number, duration: number) =>
  `${(100 * seconds) / Math.max(duration, 0.01)}%`;

/** Where the player is, with a mark for each time of the answer. */
export function Timeline({ seconds, duration, marks, trim, onSeek }: Props) {
  return (
    <div data-testid="timeline" className="relative">
      <ul aria-label={ui.player.marks} className="relative mx-2 h-5">
        {marks.map((mark) => (
          <li key={mark} className="absolute top-0" style={{ left: left(mark, duration) }}>
            <button
              type="button"
              data-testid="timeline-mark"
              aria-label={ui.answer.seek(clock(mark, true))}
              title={clock(mark, true)}
              onClick={() => onSeek(mark)}
              className="group relative block h-6 w-6 -translate-x-1/2"
            >
              <span
                className={`absolute top-0.5 left-1/2 size-3 -translate-x-1/2 rotate-45
                rounded-[3px] bg-brand transition-transform group-hover:scale-125`}
              />
            </button>
          </li>
        ))}
      </ul>
      <Slider.Root
        className="relative flex h-6 touch-none items-center select-none"
        min={0}
        max={Math.max(duration, 0.1)}
        step={0.1}
        value={[Math.min(seconds, Math.max(duration, 0.1))]}
        onValueChange={([value]) => onSeek(value ?? 0)}
      >
        <Slider.Track className="relative h-1.5 w-full grow overflow-hidden rounded-full bg-sunk">
          {trim && (
            <span
              className="absolute inset-y-0 bg-wash"
              style={{ left: left(trim[0], duration), width: left(trim[1] - trim[0], duration) }}
            />
          )}
          <Slider.Range className="absolute h-full rounded-full bg-brand" />
        </Slider.Track>
        <Slider.Thumb
          aria-label={ui.player.seek}
          aria-valuetext={clock(seconds, true)}
          className="block size-4 rounded-full border-2 border-brand bg-card shadow"
        />
      </Slider.Root>
    </div>
  );
}
