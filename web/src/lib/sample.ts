// A clip that the demo model knows, for people who have no video at hand.
import { Problem } from './api/problem';

const name = 'passing.mp4';

export const sampleQuestion = 'Which way does the red circle move?';

/** The clip, which lies beside the page. */
export async function fetchSample(): Promise<File> {
  const response = await fetch(`/samples/${name}`).catch(() => null);
  if (!response?.ok) throw new Problem('offline', '');
  return new File([await response.blob()], name, { type: 'video/mp4' });
}
