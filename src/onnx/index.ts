/**
 * Runs ONNX models without blocking the event loop.
 *
 * @since 0.1.0
 */
export * as Onnx from "./Onnx.ts"
