import { holdToLaws } from "./holdToLaws.ts"
import { http } from "./locations.ts"

holdToLaws("a service over HTTP", http)
