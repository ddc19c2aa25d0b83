import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { planVideo } from '@/lib/api/client';
import type { VideoParams } from '@/lib/api/types';

/** What the model would see of a stored video; asked again a moment after the settings change. */
export function usePlan(id: string | null, params: VideoParams) {
  const wanted = JSON.stringify(params);
  const [settled, setSettled] = useState(wanted);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(wanted), 200);
    return () => clearTimeout(timer);
  }, [wanted]);
  return useQuery({
    queryKey: ['plan', id, settled],
    queryFn: ({ signal }) => planVideo(id ?? '', JSON.parse(settled) as VideoParams, signal),
    enabled: id !== null,
    placeholderData: (previous, query) =>
      query?.queryKey[1] === id ? keepPreviousData(previous) : undefined,
    staleTime: Infinity,
  });
}
