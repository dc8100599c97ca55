/** `module.method` as EE2 takes it: exactly one dot, blanks around the parts do not count. */

export interface MethodName {
  readonly module: string;
  /** Without the module. */
  readonly name: string;
}

export function parseMethodName(asked: string): MethodName | null {
  const [module = '', name = '', ...more] = asked.split('.').map((part) => part.trim());
  const isName = module !== '' && name !== '' && more.length === 0 && !/\p{Cc}/u.test(module + name);
  return isName ? { module, name } : null;
}

/** The sentence that EE2's users know. */
export function unrecognized(asked: string): string {
  return `Unrecognized method: '${asked}'. Please input module_name.function_name`;
}
