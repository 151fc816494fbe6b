// Uses the generated types as an application would; `tsc --strict` is the test.
import type { components, operations } from './api';

type Run = components['schemas']['RunObject'];
type StreamEvent = components['schemas']['AssistantStreamEvent'];
type CreateRun = components['schemas']['CreateRunRequest'];
type Made = operations['createAssistant']['responses'][200]['content']['application/json'];

export const body: CreateRun = { assistant_id: 'asst_x', stream: true };
export const name = (assistant: Made): string => assistant.name ?? assistant.id;
export const isOver = (run: Run): boolean => run.status === 'completed' || run.status === 'incomplete';

export function textOf(event: StreamEvent): string {
  switch (event.event) {
    case 'thread.message.delta':
      return event.data.delta.content.map((part) => (part.type === 'text' ? part.text.value ?? '' : '')).join('');
    case 'thread.run.failed':
      return event.data.last_error?.message ?? '';
    default:
      return '';
  }
}
