/** How a thread or a process with services fails. */
import { Schema } from "effect"

/**
 * A thread or a process with services did not start, or has ended.
 *
 * `reason` is `StartFailed` where its layer failed or it serves something else, `StartTimedOut` where it did not say in
 * time that it is ready, and `Crashed` where it ended by itself or was killed. `exitCode` and `signal` are null where it
 * had none; `stderr` holds the last lines that it wrote there.
 *
 * @category errors
 * @since 0.2.0
 */
export class WorkerError extends Schema.TaggedError<WorkerError>()("WorkerError", {
  reason: Schema.Literals(["StartFailed", "StartTimedOut", "Crashed"]),
  entry: Schema.String,
  detail: Schema.String,
  exitCode: Schema.NullOr(Schema.Int),
  signal: Schema.NullOr(Schema.String),
  stderr: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const what = `${this.entry} ${sentences[this.reason]}: ${this.detail}`
    return this.stderr.length === 0 ? what : `${what}\n${this.stderr.map((line) => `  ${line}`).join("\n")}`
  }
}

const sentences = {
  StartFailed: "did not start",
  StartTimedOut: "was not ready in time",
  Crashed: "ended"
}
