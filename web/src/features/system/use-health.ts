import { useQuery } from '@tanstack/react-query';
import { getHealth } from '@/lib/api/client';
import { Problem } from '@/lib/api/problem';
import type { Health } from '@/lib/api/types';

export type ServerState = 'unknown' | 'ready' | 'loading' | 'down' | 'locked';

/** How the service is, looked at now and then; oftener while it is away. */
export function useHealth(): { health: Health | undefined; state: ServerState } {
  const { data, error } = useQuery({
    queryKey: ['health'],
    queryFn: ({ signal }) => getHealth(signal),
    retry: false,
    refetchInterval: (query) =>
      query.state.status === 'error' || !query.state.data?.model.loaded ? 2000 : 10_000,
  });
  return { health: data, state: stateOf(data, error) };
}

function stateOf(health: Health | undefined, error: unknown): ServerState {
  if (error instanceof Problem && error.status === 401) return 'locked';
  if (error) return 'down';
  if (!health) return 'unknown';
  return health.model.loaded ? 'ready' : 'loading';
}
