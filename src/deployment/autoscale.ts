/**
 * How many replicas a unit should have, decided from what was measured.
 *
 * The rule is that of the horizontal pod autoscaler of Kubernetes, version 2: the number that would bring each measure to
 * its target, the largest of these, no change within a tenth of the target, and a window of time in which the most
 * careful of the recent answers counts (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/).
 * Its limits on the size of one step are left out: the range of the unit is the limit.
 */
import type { Scaling } from "./Description.ts"

/**
 * What was measured at one moment.
 *
 * `at` is in milliseconds of any clock that only goes forward; `replicas` is how many were ready. `concurrency` is all
 * calls in flight, `queue` all that wait, over all replicas; `cpu` is the mean over the replicas, in percent of what each
 * asked for. What is left out was not measured.
 *
 * @category models
 * @since 0.2.0
 */
export interface Sample {
  readonly at: number
  readonly replicas: number
  readonly concurrency?: number
  readonly queue?: number
  readonly cpu?: number
}

/**
 * What earlier samples asked for, as far as it still counts, and how many replicas were decided on last.
 *
 * @category models
 * @since 0.2.0
 */
export interface State {
  readonly desired: number
  readonly recommendations: ReadonlyArray<{ readonly at: number; readonly replicas: number }>
}

/**
 * The state before the first sample, with so many replicas running.
 *
 * @category constructors
 * @since 0.2.0
 */
export const initial = (replicas: number): State => ({ desired: replicas, recommendations: [] })

/**
 * How many replicas there should be after a sample; `desired` of the result is the answer.
 *
 * It is never outside of the range of `scaling`. More replicas are decided on when every answer of the last
 * `scaleUpWindow` asked for more than there are, and as many as the least of them; fewer when every one of the last
 * `scaleDownWindow` asked for fewer, and as many as the most. A sample that measured none of the targets changes
 * nothing.
 *
 * **Example** (Twenty calls in flight where one replica should have four)
 *
 * ```ts
 * import { Deployment } from "chorale"
 *
 * const scaling = { minReplicas: 1, maxReplicas: 8, target: { concurrency: 4 }, scaleUpWindow: 0, scaleDownWindow: 300_000 }
 *
 * export const state = Deployment.autoscale(
 *   scaling,
 *   Deployment.initialScale(1),
 *   { at: 0, replicas: 1, concurrency: 20 }
 * )
 * // state.desired is 5
 * ```
 *
 * @category combinators
 * @since 0.2.0
 */
export const autoscale = (scaling: Scaling, state: State, sample: Sample): State => {
  const asked = recommend(scaling, sample)
  if (asked === undefined) return { ...state, desired: clamp(scaling, state.desired) }
  const kept = Math.max(scaling.scaleUpWindow, scaling.scaleDownWindow)
  const current = clamp(scaling, state.desired)
  // As if what runs had been asked for until now: a window that has only begun changes nothing.
  const earlier = state.recommendations.length === 0
    ? [{ at: sample.at, replicas: current }]
    : state.recommendations.filter(({ at }) => at > sample.at - kept)
  const within = (window: number) => earlier.filter(({ at }) => at > sample.at - window).map(({ replicas }) => replicas)
  // The window up holds the number down to the least that was asked, and the window down holds it up to the most.
  const least = Math.min(asked, ...within(scaling.scaleUpWindow))
  const most = Math.max(asked, ...within(scaling.scaleDownWindow))
  return {
    desired: least > current ? least : most < current ? most : current,
    recommendations: [...earlier, { at: sample.at, replicas: asked }]
  }
}

/** What one sample asks for by itself; nothing where it measured none of the targets. */
const recommend = (scaling: Scaling, { concurrency, cpu, queue, replicas }: Sample): number | undefined => {
  const { target } = scaling
  const answers = [
    answer(replicas, total(concurrency), target.concurrency),
    answer(replicas, total(queue), target.queue),
    answer(replicas, cpu === undefined ? undefined : total(cpu * replicas), target.cpu)
  ].filter((replicas) => replicas !== undefined)
  return answers.length === 0 ? undefined : clamp(scaling, Math.max(...answers))
}

const total = (measured: number | undefined): number | undefined =>
  measured === undefined || !Number.isFinite(measured) ? undefined : measured

/** The replicas that share `measured` so that each has at most `target`; as many as there are where that is so nearly. */
const answer = (replicas: number, measured: number | undefined, target: number | undefined): number | undefined => {
  if (measured === undefined || target === undefined) return undefined
  const ratio = measured / (target * Math.max(1, replicas))
  return replicas > 0 && Math.abs(ratio - 1) <= tolerance + rounding
    ? replicas
    : Math.ceil(measured / target - rounding)
}

/** What the autoscaler of Kubernetes tolerates unless it is told otherwise. */
const tolerance = 0.1

const rounding = 1e-9

const clamp = ({ maxReplicas, minReplicas }: Scaling, replicas: number): number =>
  Math.min(maxReplicas, Math.max(minReplicas, replicas))
