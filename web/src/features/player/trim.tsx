'use client';

import * as Slider from '@radix-ui/react-slider';
import { clock } from '@/lib/format';
import { ui } from '@/lib/strings/ui';

interface Props {
  duration: number;
  value: [number, number] | null;
  onChange: (value: [number, number] | null) => void;
  onSeek: (seconds: number) => void;
}

const shortest = 0.5; // seconds between the handles

/** Two handles choose the part that the model watches. */
export function Trim({ duration, value, onChange, onSeek }: Props) {
  const [start, end] = value ?? [0, duration];
  const change = (next: number[]) => {
    const [from = 0, to = duration] = next;
    const whole = from <= 0 && to >= duration - 0.05;
    onChange(whole ? null : [from, to]);
    onSeek(from !== start ? from : to);
  };
  const thumb = `block h-5 w-2.5 rounded border-2 border-edge bg-card shadow hover:border-brand
    focus-visible:border-brand`;
  return (
    <>
      <Slider.Root
        data-testid="trim"
        className="relative -mt-1 flex h-7 touch-none items-center select-none"
        min={0}
        max={duration}
        step={0.1}
        minStepsBetweenThumbs={shortest / 0.1}
        value={[start, end]}
        onValueChange={change}
      >
        <Slider.Track className="relative h-1 w-full grow overflow-hidden rounded-full bg-sunk">
          <Slider.Range className="absolute h-full bg-edge" />
        </Slider.Track>
        <Slider.Thumb
          className={thumb}
          aria-label={ui.player.trimStart}
          aria-valuetext={clock(start, true)}
        />
        <Slider.Thumb
          className={thumb}
          aria-label={ui.player.trimEnd}
          aria-valuetext={clock(end, true)}
        />
      </Slider.Root>
      <p
        className={`order-last flex min-h-8 w-full flex-wrap items-center gap-x-2 px-1 text-sm
        text-soft`}
      >
        {ui.player.trim}:{' '}
        {value ? `${clock(start, true)} – ${clock(end, true)}` : ui.player.trimAll}
        {value && (
          <button
            type="button"
            className="min-h-8 font-medium text-brand underline"
            onClick={() => onChange(null)}
          >
            {ui.player.reset}
          </button>
        )}
      </p>
    </>
  );
}
