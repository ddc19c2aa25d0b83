import { Bar } from '@/components/bar';
import { IconButton } from '@/components/button';
import { Icon } from '@/components/icon';
import { bytes, clock, duration, percent } from '@/lib/format';
import type { Upload, Video } from '@/lib/session/types';
import { explain, remedies } from '@/lib/strings/problems';
import { ui } from '@/lib/strings/ui';

interface Props {
  videos: Video[];
  activeKey: string | null;
  onActivate: (key: string) => void;
  onRemove: (video: Video) => void;
  onUploadAgain: (key: string) => void;
  /** The service wants an access key. */
  onKey: () => void;
}

export function VideoList({
  videos,
  activeKey,
  onActivate,
  onRemove,
  onUploadAgain,
  onKey,
}: Props) {
  return (
    <ul aria-label={ui.zone.list} className="space-y-2">
      {videos.map((video) => (
        <li
          key={video.key}
          className={`rounded-xl border bg-card px-3 py-2 ${
            video.key === activeKey && videos.length > 1 ? 'border-brand' : 'border-line'
          }`}
        >
          <div className="flex items-center gap-2">
            <button
              type="button"
              aria-pressed={video.key === activeKey}
              onClick={() => onActivate(video.key)}
              className="flex min-h-9 min-w-0 flex-1 items-center gap-2 text-left"
            >
              <Icon name={video.kind === 'url' ? 'link' : 'film'} className="size-5 text-soft" />
              <span className="truncate text-sm font-medium">{video.name}</span>
              <span className="shrink-0 text-sm text-soft">{facts(video)}</span>
            </button>
            <IconButton
              icon="close"
              label={ui.zone.remove(video.name)}
              onClick={() => onRemove(video)}
            />
          </div>
          <UploadState video={video} onAgain={() => onUploadAgain(video.key)} onKey={onKey} />
        </li>
      ))}
    </ul>
  );
}

function facts(video: Video): string {
  const length = video.report ? [clock(video.report.duration_s)] : [];
  return [...length, ...(video.bytes > 0 ? [bytes(video.bytes)] : [])].join(' · ');
}

function sendingText(upload: Extract<Upload, { state: 'sending' }>): string {
  if (upload.sent === 0 || upload.bytesPerS === 0) return ui.zone.starting;
  if (upload.sent === upload.total) return ui.zone.checking;
  const left = duration((upload.total - upload.sent) / upload.bytesPerS);
  const share = percent(upload.sent / upload.total);
  return ui.zone.sending(share, bytes(upload.bytesPerS), left);
}

interface StateProps {
  video: Video;
  onAgain: () => void;
  onKey: () => void;
}

function UploadState({ video, onAgain, onKey }: StateProps) {
  const { upload } = video;
  if (upload.state === 'sending') {
    const text = sendingText(upload);
    return (
      <div className="pt-1 pb-1.5">
        <Bar
          share={upload.total > 0 ? upload.sent / upload.total : null}
          label={ui.zone.starting}
        />
        <p className="mt-1.5 text-sm text-soft tabular-nums">{text}</p>
      </div>
    );
  }
  if (upload.state === 'ready') {
    return video.kind === 'url' ? <p className="text-sm text-soft">{ui.zone.fetched}</p> : null;
  }
  const problem = upload.state === 'failed' ? upload.problem : null;
  const remedy = problem && explain(problem).remedy;
  const link = 'min-h-8 font-medium text-brand underline';
  return (
    <div className="flex flex-wrap items-center gap-x-3 pb-1 text-sm">
      <span role="alert" data-testid="error" className={problem ? 'text-bad' : 'text-soft'}>
        {problem ? explain(problem).text : ui.zone.stopped}
      </span>
      {remedy === 'key' && (
        <button type="button" data-testid="enter-key" onClick={onKey} className={link}>
          {remedies.key}
        </button>
      )}
      {remedy !== 'choose' && (
        <button type="button" data-testid="upload-again" onClick={onAgain} className={link}>
          {ui.zone.again}
        </button>
      )}
    </div>
  );
}
