import type { RefObject } from 'react';
import { Icon } from '@/components/icon';
import { ui } from '@/lib/strings/ui';

interface Props {
  /** For opening the file dialog from elsewhere. */
  input: RefObject<HTMLInputElement | null>;
  /** Null before the page's script runs: then the form itself carries the file. */
  onFiles: ((files: File[]) => void) | null;
  compact: boolean;
}

/** Where a video comes in; the label makes the whole area the file field's button. */
export function VideoUploadZone({ input, onFiles, compact }: Props) {
  const field = (
    <input
      ref={input}
      type="file"
      name="video"
      data-testid="video-input"
      aria-label={ui.zone.choose}
      accept="video/*,.mkv,.avi"
      multiple={onFiles !== null}
      required={onFiles === null}
      className={`sr-only noscript:not-sr-only noscript:mt-3 noscript:max-w-full noscript:text-sm
        file:mr-3 file:rounded-lg file:border file:border-line file:px-3 file:py-1.5`}
      onChange={(event) => {
        if (!onFiles) return;
        onFiles([...(event.target.files ?? [])]);
        event.target.value = ''; // the same file may be chosen again
      }}
    />
  );
  const focus = 'has-focus-visible:outline-2 has-focus-visible:outline-brand outline-offset-2';
  if (compact) {
    return (
      <label
        className={`inline-flex min-h-9 cursor-pointer items-center gap-1.5 rounded-lg px-2
          text-sm font-medium text-soft hover:bg-sunk hover:text-ink ${focus}`}
      >
        <Icon name="plus" className="size-4.5" />
        {ui.zone.add}
        {field}
      </label>
    );
  }
  return (
    <label
      className={`flex min-h-38 cursor-pointer flex-col items-center justify-center rounded-2xl
        border-2 border-dashed border-edge bg-card px-6 py-6 text-center transition-colors
        hover:border-brand hover:bg-wash ${focus}`}
    >
      <Icon name="film" className="mb-3 size-9 text-brand" />
      <span>
        <span className="font-semibold text-brand">{ui.zone.choose}</span>{' '}
        <span className="noscript:hidden">{ui.zone.rest}</span>
      </span>
      <span className="mt-1 text-sm text-soft">{ui.zone.formats}</span>
      {field}
    </label>
  );
}

export function DropCurtain() {
  return (
    <div
      className={`pointer-events-none fixed inset-3 z-50 grid place-items-center rounded-3xl
      border-4 border-dashed border-brand bg-wash/90 text-2xl font-semibold text-brand`}
    >
      {ui.zone.dropNow}
    </div>
  );
}
