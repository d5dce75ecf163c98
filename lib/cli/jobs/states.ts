/** The jobs of a paused queue are waiting too. */
export const STATES = ['waiting', 'active', 'delayed', 'failed', 'completed'] as const;
