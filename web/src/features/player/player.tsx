'use client';

import { useRef, type CSSProperties, type RefObject } from 'react';
import { IconButton } from '@/components/button';
import { Icon } from '@/components/icon';
import { boxesAt, type Box } from '@/lib/answer/boxes';
import { framePath } from '@/lib/api/client';
import type { VideoReport } from '@/lib/api/types';
import { clock } from '@/lib/format';
import type { Video } from '@/lib/session/types';
import { ui } from '@/lib/strings/ui';
import { useMediaUrl } from '@/lib/use-media-url';
import { Boxes } from './boxes';
import { Timeline } from './timeline';
import { Trim } from './trim';
import type { Playback } from './use-playback';

interface Props {
  video: Video;
  /** Null for a linked video: the page loads nothing from other hosts. */
  source: string | null;
  element: RefObject<HTMLVideoElement | null>;
  playback: Playback;
  /** What is planned or was seen; its frames stand in for a file that the browser cannot play. */
  seen: VideoReport | null;
  marks: number[];
  boxes: Box[];
  trim: [number, number] | null;
  /** Null while a trim makes no sense: several videos, or nothing known of this one. */
  onTrim: ((trim: [number, number] | null) => void) | null;
}

export function Player(props: Props) {
  const { video, source, element, playback, seen, marks, boxes, trim, onTrim } = props;
  const frame = useRef<HTMLDivElement>(null);
  const still = source === null || playback.failed;
  const known = playback.duration > 0;
  const size = video.report ?? seen;
  return (
    <section
      aria-label={ui.player.label}
      className="overflow-hidden rounded-2xl border border-line bg-card"
    >
      <div ref={frame} className="grid max-h-[55dvh] place-items-center overflow-hidden bg-black">
        <div className="relative max-h-[55dvh]" style={source === null ? whole : aspect(size)}>
          {source !== null && (
            // The clip's own words are what is asked about; there is no caption track to offer.
            // eslint-disable-next-line jsx-a11y/media-has-caption
            <video
              ref={element}
              data-testid={still ? undefined : 'player'}
              src={source}
              playsInline
              preload="auto"
              className={still ? 'hidden' : 'block max-h-[55dvh] w-full'}
              onClick={playback.toggle}
            />
          )}
          {still && <Still video={video} seen={seen} seconds={playback.seconds} />}
          <Boxes boxes={boxesAt(boxes, playback.seconds)} />
        </div>
      </div>
      <div className={known ? 'flex flex-col px-3 pt-1 pb-2' : 'hidden'}>
        <Timeline
          seconds={playback.seconds}
          duration={playback.duration}
          marks={marks}
          trim={trim}
          onSeek={playback.seek}
        />
        {onTrim && playback.duration > 1 && (
          <Trim
            duration={playback.duration}
            value={trim}
            onChange={onTrim}
            onSeek={playback.seek}
          />
        )}
        <div className="flex items-center gap-1">
          {!still && (
            <>
              <IconButton
                icon={playback.playing ? 'pause' : 'play'}
                label={playback.playing ? ui.player.pause : ui.player.play}
                onClick={playback.toggle}
              />
              <IconButton
                icon={playback.muted ? 'mute' : 'sound'}
                label={playback.muted ? ui.player.unmute : ui.player.mute}
                onClick={playback.toggleSound}
              />
            </>
          )}
          <span className="px-1 text-sm text-soft tabular-nums">
            {clock(playback.seconds, true)} / {clock(playback.duration, true)}
          </span>
          {source !== null && (
            <IconButton
              icon="full"
              label={ui.player.full}
              className="ml-auto"
              onClick={() => void frame.current?.requestFullscreen().catch(() => undefined)}
            />
          )}
        </div>
      </div>
    </section>
  );
}

const whole = { width: '100%' };

/** The area has the picture's own shape, so that boxes drawn over it are where they belong. */
function aspect(size: VideoReport | null): CSSProperties {
  if (!size || size.width === 0) return whole;
  const turned = Math.abs(size.rotation_deg) % 180 === 90;
  const ratio = turned ? size.height / size.width : size.width / size.height;
  return { aspectRatio: String(ratio), width: `min(100%, ${55 * ratio}dvh)` };
}

function Still({
  video,
  seen,
  seconds,
}: {
  video: Video;
  seen: VideoReport | null;
  seconds: number;
}) {
  const frames = seen?.frames ?? [];
  const nearest = frames.findLast((frame) => frame.time_s <= seconds + 0.01) ?? frames[0];
  const path = video.id && nearest ? framePath(video.id, nearest.index, 960) : null;
  const url = useMediaUrl(path);
  return (
    <figure data-testid="player" className="grid h-full min-h-40 place-items-center">
      {url && nearest ? (
        <img src={url} alt={ui.plan.frame(clock(nearest.time_s, true))} className="max-h-[50dvh]" />
      ) : (
        <Icon name={video.kind === 'url' ? 'link' : 'film'} className="size-10 text-white" />
      )}
      {(url || video.kind === 'url') && (
        <figcaption className="max-w-prose px-4 py-2 text-center text-sm text-white">
          {video.kind === 'url' ? ui.player.none : ui.player.still}
        </figcaption>
      )}
    </figure>
  );
}
