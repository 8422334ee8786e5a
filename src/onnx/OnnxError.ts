/**
 * What can go wrong with a model file, a call, or the thread that runs it.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"

/**
 * There is no readable file at `path`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ModelNotFound extends Schema.TaggedError<ModelNotFound>()("ModelNotFound", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `No model at ${this.path}: ${this.detail}. Relative paths start at the working directory; ` +
      `for a file beside your module use new URL("./model.onnx", import.meta.url).`
  }
}

/**
 * ONNX Runtime refused the file, or the model has inputs or outputs that no tensor can hold; `detail` says which.
 *
 * @category errors
 * @since 0.1.0
 */
export class ModelNotLoadable extends Schema.TaggedError<ModelNotLoadable>()("ModelNotLoadable", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    const hint = this.detail.includes("Failed to load shared library")
      ? ". The CUDA libraries are fetched by the install script of onnxruntime-node: allow it and install again, " +
        "or run without a GPU"
      : ""
    return `The model ${this.path} cannot be loaded: ${this.detail}${hint}`
  }
}

/**
 * The tensors of a call do not fit the inputs of the model. Nothing has run.
 *
 * @category errors
 * @since 0.1.0
 */
export class BadFeeds extends Schema.TaggedError<BadFeeds>()("BadFeeds", {
  path: Schema.String,
  input: Schema.String,
  expected: Schema.String,
  actual: Schema.String
}) {
  override get message(): string {
    return `Input "${this.input}" of ${this.path}: expected ${this.expected}, got ${this.actual}`
  }
}

/**
 * ONNX Runtime gave up while it ran the model; `detail` is what it said. The replica lives on.
 *
 * @category errors
 * @since 0.1.0
 */
export class RunFailed extends Schema.TaggedError<RunFailed>()("RunFailed", {
  path: Schema.String,
  detail: Schema.String
}) {
  override get message(): string {
    return `The model ${this.path} failed while it ran: ${this.detail}`
  }
}

/**
 * The thread of a replica exited. It is started again, so the same call may succeed later.
 *
 * @category errors
 * @since 0.1.0
 */
export class WorkerLost extends Schema.TaggedError<WorkerLost>()("WorkerLost", {
  path: Schema.String,
  replica: Schema.Int,
  exitCode: Schema.Int,
  detail: Schema.String
}) {
  override get message(): string {
    return `The thread of replica ${this.replica} of ${this.path} exited with code ${this.exitCode}: ${this.detail}`
  }
}

/**
 * The call came after the scope of the session ended, or was still waiting when it did.
 *
 * @category errors
 * @since 0.1.0
 */
export class SessionClosed extends Schema.TaggedError<SessionClosed>()("SessionClosed", {
  path: Schema.String
}) {
  override get message(): string {
    return `The session of ${this.path} is closed, because the scope or layer that opened it has ended`
  }
}
