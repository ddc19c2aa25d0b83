import { clock } from '@/lib/format';
import { ui } from '@/lib/strings/ui';

interface Props {
  text: string;
  seconds: number;
  /** Of the video; a time beyond it is shown as one that the video does not have. */
  duration: number;
  onSeek: (seconds: number) => void;
}

export function TimeChip({ text, seconds, duration, onSeek }: Props) {
  const shown = text.replace(/^[[<]\s*|\s*[\]>]$/g, '');
  const time = clock(seconds, true);
  if (duration > 0 && seconds > duration + 0.05) {
    return (
      <span
        data-testid="time-outside"
        title={ui.answer.outside(time)}
        className="rounded-md bg-sunk px-1.5 text-soft line-through"
      >
        {shown}
      </span>
    );
  }
  return (
    <button
      type="button"
      data-testid="time-chip"
      data-seconds={seconds}
      aria-label={ui.answer.seek(shown)}
      onClick={() => onSeek(seconds)}
      className={`mx-0.5 inline-flex min-h-6 items-center rounded-md bg-wash px-1.5 font-sans
        text-[0.95em] font-medium text-brand tabular-nums hover:underline`}
    >
      {shown}
    </button>
  );
}
