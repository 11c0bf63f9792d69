/** Who follows the notices knows what whoever asks is answered. */
import type { Stage } from '../story/stage.ts';
import { name } from './answers.ts';
import { Violation } from './violation.ts';

/** While nothing is under way. */
export async function followersKnow(stage: Stage): Promise<void> {
  const { universe, people, projects } = stage;
  if (projects.every(({ endpoint }) => endpoint === null)) return;
  await universe.jobs.add('announce_passed');
  await universe.settle();
  const [complaint] = universe.apps.complaints;
  if (complaint !== undefined) throw new Violation('notices', complaint);
  for (const { person, project } of people) {
    if (project.endpoint === null) continue;
    const answer = await universe.scheduler.runFor(
      universe.ask('GET', `/entitlements?customer_id=${person.customer}`, { key: project.key }),
    );
    const told = universe.apps.knows(project.endpoint, person.customer);
    const [known, right] = [whatCounts(told?.entitlements ?? {}), whatCounts(answer.body.entitlements)];
    if (known !== right) {
      throw new Violation(
        'notices',
        `${name(stage, person)} was told ${known} as number ${told?.sequence ?? 0}, and whoever asks is told ${right}.`,
      );
    }
  }
}

function whatCounts(entitlements: Record<string, { value: number | null; unlimited: boolean }>): string {
  const features = Object.entries(entitlements).map(([code, { value, unlimited }]) => [code, value, unlimited]);
  return JSON.stringify(features.sort());
}
