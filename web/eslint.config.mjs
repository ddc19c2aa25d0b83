import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import importX from 'eslint-plugin-import-x';
import a11y from 'eslint-plugin-jsx-a11y';
import hooks from 'eslint-plugin-react-hooks';
import ts from 'typescript-eslint';

const layers = ['lib', 'components', 'features', 'app'];
const features = [
  'answer',
  'ask',
  'history',
  'params',
  'plan',
  'player',
  'system',
  'theme',
  'videos',
];

// app > features > components > lib: imports go down, and never from one feature to another.
const zones = [
  ...layers.map((layer, rank) => ({
    target: `./src/${layer}`,
    from: layers.slice(rank + 1).map((upper) => `./src/${upper}`),
  })),
  ...features.map((feature) => ({
    target: `./src/features/${feature}`,
    from: './src/features',
    except: [`./${feature}`],
  })),
].filter((zone) => zone.from.length > 0);

export default ts.config(
  { ignores: ['.next/', 'out/', 'next-env.d.ts', '.cache/'] },
  ...ts.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ['*.mjs', 'scripts/*.mjs'] } },
    },
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver()] },
    rules: {
      'import-x/no-cycle': 'error',
      'import-x/no-self-import': 'error',
      'import-x/no-restricted-paths': ['error', { basePath: import.meta.dirname, zones }],
      'max-lines': ['error', 250],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // What a signal was aborted with is passed on as it is.
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
    },
  },
  { files: ['**/*.tsx'], ...a11y.flatConfigs.strict },
  { files: ['src/**'], ...hooks.configs.flat['recommended-latest'] },
  { files: ['**/*.mjs'], ...ts.configs.disableTypeChecked },
);
