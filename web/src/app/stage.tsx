'use client';

import { PlanStrip } from '@/features/plan/plan-strip';
import { usePlan } from '@/features/plan/use-plan';
import { Player } from '@/features/player/player';
import { usePlayback } from '@/features/player/use-playback';
import { findBoxes } from '@/lib/answer/boxes';
import { timesWithin } from '@/lib/answer/times';
import { contentPath } from '@/lib/api/client';
import { storable } from '@/lib/api/problem';
import { videoParams, type Session, type Video } from '@/lib/session/types';
import type { SessionControl } from '@/lib/session/use-session';
import { ui } from '@/lib/strings/ui';
import { useMediaUrl } from '@/lib/use-media-url';

/** The video that is shown, with all that is known of it. */
export function useStage(control: SessionControl) {
  const { session } = control;
  const video = session.videos.find((other) => other.key === session.activeKey) ?? null;
  const local = video ? control.localUrl(video.key) : null;
  const stored = useMediaUrl(local === null && video?.id ? contentPath(video.id) : null);
  const source = local ?? stored;
  const plan = usePlan(video?.id ?? null, videoParams(session.params));
  const seen = plan.data?.video_report[0] ?? (video && reportIn(session, video));
  const known = video?.report?.duration_s ?? seen?.duration_s ?? 0;
  const [playback, element] = usePlayback(source, known);
  return { video, source, plan, seen: seen ?? null, playback, element };
}

/** The report of the latest answer about a video. */
function reportIn(session: Session, video: Video) {
  const index = session.videos.indexOf(video);
  const answers = session.turns.flatMap((turn) => turn.attempts).map((attempt) => attempt.answer);
  return answers.findLast((answer) => answer !== null)?.video_report[index] ?? null;
}

interface Props {
  control: SessionControl;
  stage: ReturnType<typeof useStage>;
}

/** The left side: the player and the plan. */
export function Stage({ control, stage }: Props) {
  const { session } = control;
  const { video, source, plan, seen, playback, element } = stage;
  if (!video) return null;
  const turn = session.turns.at(-1);
  const text = turn?.attempts[turn.shown]?.text ?? '';
  const several = session.videos.length > 1;
  return (
    <>
      <Player
        key={video.key}
        video={video}
        source={source}
        element={element}
        playback={playback}
        seen={seen}
        marks={timesWithin(text, playback.duration)}
        boxes={findBoxes(text)}
        trim={session.params.trim}
        onTrim={several ? null : (trim) => control.setParams({ trim })}
      />
      {video.id ? (
        <PlanStrip
          videoId={video.id}
          plan={plan.data}
          problem={plan.error ? storable(plan.error) : null}
          stale={plan.isPlaceholderData}
          several={several}
          seconds={playback.seconds}
          onSeek={playback.seek}
        />
      ) : (
        video.kind === 'url' && <p className="text-sm text-soft">{ui.plan.url}</p>
      )}
    </>
  );
}
