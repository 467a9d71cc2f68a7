import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    // Real kernels on a machine that others load: a limit is for what hangs.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // A real lab that fails once on a loaded machine is looked at again; a defect fails twice.
    retry: process.env.CI === undefined ? 0 : 1,
  },
});
