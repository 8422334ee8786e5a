/** Why a deployment is refused: everything that is wrong with it, in one report. */
import { Schema } from "effect"

/**
 * One thing that is wrong: where it is, what it is, and what to do about it.
 *
 * `path` names a place in the deployment, such as `units.reader.replicas`; `file`, `line` and `column` (both from 1) are
 * there where a file says so.
 *
 * @category schemas
 * @since 0.2.0
 */
export const Problem = Schema.Struct({
  path: Schema.String,
  detail: Schema.String,
  advice: Schema.String,
  file: Schema.optionalKey(Schema.String),
  line: Schema.optionalKey(Schema.Int),
  column: Schema.optionalKey(Schema.Int)
})

/**
 * One thing that is wrong: where it is, what it is, and what to do about it.
 *
 * @category models
 * @since 0.2.0
 */
export type Problem = typeof Problem.Type

/**
 * A deployment that cannot run, or a configuration that does not fit it, with all that is wrong.
 *
 * It is found before anything of the deployment is built.
 *
 * @category errors
 * @since 0.2.0
 */
export class DeploymentInvalid extends Schema.TaggedError<DeploymentInvalid>()("DeploymentInvalid", {
  deployment: Schema.String,
  problems: Schema.NonEmptyArray(Problem)
}) {
  override get message(): string {
    const [first, ...more] = this.problems
    const what = first.file ?? `the deployment ${this.deployment}`
    if (more.length === 0) return first.file === undefined ? `${what}: ${lineOf(first)}` : lineOf(first)
    const lines = this.problems.map((problem) => `  ${lineOf(problem)}`)
    return [`${what} has ${this.problems.length} problems:`, ...lines].join("\n")
  }
}

const lineOf = ({ advice, column, detail, file, line, path }: Problem): string => {
  const place = file === undefined ? "" : `${file}:${line ?? 1}:${column ?? 1} `
  return `${place}${path}: ${detail}. ${advice}`
}
