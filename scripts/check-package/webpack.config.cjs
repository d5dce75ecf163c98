// As Nest's documentation has it for an application in one file: no dependency stays outside, and what a package would
// load if it were there is left out.
module.exports = (options, webpack) => ({
  ...options,
  externals: [],
  plugins: [
    ...options.plugins,
    new webpack.IgnorePlugin({
      checkResource(resource, context) {
        if (/^[./]/.test(resource) || resource.startsWith('nestjs-chasqui')) return false;
        try {
          require.resolve(resource, { paths: [context] });
          return false;
        } catch {
          return true;
        }
      },
    }),
  ],
});
