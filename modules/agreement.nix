# Where a host and its image, <host> and <host>-sd, differ in what decides whether a machine that was
# started from the image also starts from the system that is deployed to it later: file systems, boot
# loader and kernel. A list of attributes with both values; empty is right.
#
#   host, image  systems, as lib.nixosSystem returns them
{
  lib,
  host,
  image,
}:

let
  # Plain data, whatever stands there. What an option refuses to tell, it refuses in both.
  plain =
    value:
    if !(builtins.tryEval value).success then
      null
    else if lib.isDerivation value then
      plain value.drvPath
    else if lib.isAttrs value then
      lib.mapAttrs (_: plain) value
    else if lib.isList value then
      map plain value
    else if lib.isFunction value then
      "a function"
    else if lib.isString value || builtins.isPath value then
      builtins.unsafeDiscardStringContext (toString value)
    else
      value;

  # All values of a tree of options, without those that only say where an old name went.
  valuesOf =
    tree:
    if lib.isOption tree then
      plain tree.value
    else
      lib.mapAttrs (_: valuesOf) (lib.filterAttrs (_: branch: branch.visible or true != false) tree);

  settings =
    { config, options, ... }:
    {
      fileSystems = lib.mapAttrs (_: fileSystem: {
        inherit (fileSystem) device fsType neededForBoot;
        options = plain fileSystem.options;
      }) (lib.filterAttrs (_: fileSystem: fileSystem.enable) config.fileSystems);
      boot = {
        loader = valuesOf options.boot.loader;
        kernelPackages.kernel = plain config.boot.kernelPackages.kernel;
        # An image may say more on the console, and name one twice.
        kernelParams = lib.unique (lib.filter (p: !lib.hasPrefix "loglevel=" p) config.boot.kernelParams);
        initrd.systemd.enable = config.boot.initrd.systemd.enable;
      };
      hardware.deviceTree = {
        inherit (config.hardware.deviceTree) enable name filter;
      };
    };

  differences =
    path: a: b:
    if lib.isAttrs a && lib.isAttrs b then
      lib.concatMap (name: differences (path ++ [ name ]) (a.${name} or null) (b.${name} or null)) (
        builtins.attrNames (a // b)
      )
    else
      lib.optional (
        a != b
      ) "${lib.showOption path} is ${builtins.toJSON a}, and in the image ${builtins.toJSON b}";
in
differences [ ] (settings host) (settings image)
