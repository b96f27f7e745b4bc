// A sample of test/crash/losses.test.ts, which takes every case.
import { testHarm } from '../support/harm-sweep.ts';

testHarm('in ways drawn by lot', Number(process.env['LOSSES'] ?? 24));
