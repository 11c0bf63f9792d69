import { answerApi } from './api.ts';
import type { Control } from './control.ts';
import { answerControl } from './control-api.ts';
import { unknownUrl } from './errors.ts';
import { type Answer, type AskedRequest, errorAnswer } from './exchange.ts';
import { handlePage } from './pages/index.ts';
import { catchUp } from './time.ts';
import type { World } from './world.ts';

/** A fault was asked for, so no answer comes: the request was carried out (`lost`), or not even that (`hang`). */
export type NoAnswer = 'hang' | 'lost';

function answerNow(world: World, asked: AskedRequest): Answer | NoAnswer {
  const { lost, ...answer } = answerApi(world, asked);
  return lost ? 'lost' : answer;
}

async function carryOut(world: World, control: Control, asked: AskedRequest): Promise<Answer | NoAnswer> {
  const { method, path } = asked;
  if (path.startsWith('/v1/')) {
    // A request that is to hang is neither carried out nor answered.
    if (world.faults.hangs(method, path)) return 'hang';
    const { latencyMs } = world.faults.settings;
    if (latencyMs === 0) return answerNow(world, asked);
    const key = asked.headers['idempotency-key'];
    const end = method === 'POST' && typeof key === 'string' ? world.idempotency.begin(key) : null;
    try {
      await world.wait(latencyMs);
      return answerNow(world, asked);
    } finally {
      end?.();
    }
  }
  if (path.startsWith('/_sandbox/')) return answerControl(control, asked);
  catchUp(world);
  const page = handlePage(world, asked);
  if (page === null) throw unknownUrl(method, path);
  world.changed();
  return page;
}

/** Answers a request: to the API, to the control API, or for a hosted page. Never rejects. */
export async function answer(world: World, control: Control, asked: AskedRequest): Promise<Answer | NoAnswer> {
  const read = asked.method === 'HEAD' ? { ...asked, method: 'GET' } : asked;
  try {
    return await carryOut(world, control, read);
  } catch (error) {
    return errorAnswer(error);
  }
}
