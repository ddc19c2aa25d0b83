import { useCallback, useEffect, useRef, useState, type RefObject } from 'react';

export interface Playback {
  seconds: number;
  /** 0 until known. */
  duration: number;
  playing: boolean;
  muted: boolean;
  /** The browser cannot show this file. */
  failed: boolean;
  seek: (seconds: number) => void;
  toggle: () => void;
  toggleSound: () => void;
}

const fresh = { seconds: 0, duration: 0, playing: false, muted: false, failed: false };

/**
 * Follows the video element, or, where there is none to play, keeps the time by itself: `known` is
 * the duration that the service found.
 */
export function usePlayback(
  source: string | null,
  known: number,
): [Playback, RefObject<HTMLVideoElement | null>] {
  const video = useRef<HTMLVideoElement>(null);
  const [state, setState] = useState({ ...fresh, source });
  const now = state.source === source ? state : fresh; // another file begins anew

  useEffect(() => {
    const element = video.current;
    const change = (part: Partial<typeof fresh>) =>
      setState((before) => ({ ...(before.source === source ? before : fresh), ...part, source }));
    if (!element || source === null) return;
    let frame = 0;
    const follow = () => {
      change({ seconds: element.currentTime });
      frame = element.paused ? 0 : requestAnimationFrame(follow);
    };
    const meta = () =>
      change({ duration: Number.isFinite(element.duration) ? element.duration : 0 });
    const changed = () => {
      change({ playing: !element.paused, muted: element.muted });
      if (!element.paused && frame === 0) follow();
    };
    const broken = () => change({ failed: true });
    // Sound alone decodes to a picture of no size.
    const loaded = () => change({ failed: element.videoWidth === 0 });
    const listeners: [string, () => void][] = [
      ['loadedmetadata', meta],
      ['durationchange', meta],
      ['loadeddata', loaded],
      ['timeupdate', follow],
      ['seeking', follow],
      ['play', changed],
      ['pause', changed],
      ['volumechange', changed],
      ['error', broken],
    ];
    for (const [name, listener] of listeners) element.addEventListener(name, listener);
    if (element.error) broken();
    if (element.readyState >= 1) meta();
    return () => {
      cancelAnimationFrame(frame);
      for (const [name, listener] of listeners) element.removeEventListener(name, listener);
    };
  }, [source]);

  const duration = now.duration || known;
  const seek = useCallback(
    (target: number) => {
      const element = video.current;
      const plays = element !== null && source !== null && element.readyState > 0;
      const seconds = Math.min(Math.max(0, target), (plays ? element.duration : known) || target);
      if (plays) element.currentTime = seconds;
      setState((before) => ({ ...(before.source === source ? before : fresh), seconds, source }));
    },
    [source, known],
  );
  const playback: Playback = {
    ...now,
    duration,
    seek,
    toggle() {
      const element = video.current;
      if (element?.paused) void element.play().catch(() => undefined);
      else element?.pause();
    },
    toggleSound() {
      if (video.current) video.current.muted = !video.current.muted;
    },
  };
  return [playback, video];
}
