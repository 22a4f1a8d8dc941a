# A system in the layout that nixos-rebuild and switch-to-configuration expect, built with nothing but /bin/sh and the
# coreutils of the workstation.
#
#   units   name -> { text, wantedBy, requiredBy }
#   etc     path below /etc -> file or folder in the store
{
  name,
  system,
  units,
  etc,
}:

let
  inherit (builtins)
    attrNames
    concatMap
    concatStringsSep
    replaceStrings
    toFile
    ;

  quote = text: "'" + replaceStrings [ "'" ] [ "'\\''" ] text + "'";
  install = from: to: "install -D -m 644 ${quote from} \"$out\"/${quote to}";
  script = from: to: "install -D -m 755 ${quote from} \"$out\"/${quote to}";
  link = target: path: ''
    mkdir -p "$(dirname "$out"/${quote path})"
    ln -s ${quote target} "$out"/${quote path}'';

  unitDir = "etc/systemd/system";

  # A unit names things that are still to be built, such as the checked manifest: toFile cannot hold it,
  # a variable of the build can.
  variable = unit: "unit_" + replaceStrings [ "-" "." "@" ] [ "_" "_" "_" ] unit;
  unitFiles = map (unit: "printf %s \"\$${variable unit}\" >\"$out\"/${quote "${unitDir}/${unit}"}") (
    attrNames units
  );
  unitTexts = builtins.listToAttrs (
    map (unit: {
      name = variable unit;
      value = units.${unit}.text;
    }) (attrNames units)
  );

  # Like the links that `systemctl enable` makes.
  enabled =
    unit:
    map (target: link "../${unit}" "${unitDir}/${target}.wants/${unit}") units.${unit}.wantedBy
    ++ map (target: link "../${unit}" "${unitDir}/${target}.requires/${unit}") units.${unit}.requiredBy;

  etcLinks = map (path: link "${etc.${path}}" "etc/${path}") (attrNames etc);

  commands = [
    "mkdir -p \"$out/${unitDir}\""
    (install "${toFile "nixos-version" "26.05.virtual-pi\n"}" "nixos-version")
    (script "${./activate}" "activate")
    (script "${./switch-to-configuration}" "bin/switch-to-configuration")
  ]
  ++ unitFiles
  ++ concatMap enabled (attrNames units)
  ++ etcLinks;
in
derivation (
  unitTexts
  // {
    inherit name system;
    builder = "/bin/sh";
    args = [
      "-eu"
      (toFile "build-${name}.sh" (concatStringsSep "\n" commands + "\n"))
    ];
    PATH = "/usr/bin:/bin";
  }
)
